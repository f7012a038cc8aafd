// `npm run check:package`: runs publint and are-the-types-wrong on a freshly packed tarball, then knip, which finds
// unused files, exports and dependencies. Exits with an error when one of them reports a problem.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const dir = mkdtempSync(join(tmpdir(), 'claimgate-pack-'))
try {
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', dir], { encoding: 'utf8' })
  const tarball = join(dir, JSON.parse(packed.slice(packed.indexOf('[')))[0].filename)
  execFileSync('publint', ['--strict', tarball], { stdio: 'inherit' })
  execFileSync('attw', [tarball, '--profile', 'esm-only'], { stdio: 'inherit' })
  execFileSync('knip', [], { stdio: 'inherit' })
} finally {
  rmSync(dir, { recursive: true, force: true })
}
