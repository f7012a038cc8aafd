// `npm run check:package`: builds the three packages, and runs publint and are-the-types-wrong on the tarball of each; knip,
// which finds unused files, exports and dependencies; and test/packages, which installs each tarball into an empty project and
// uses its exports. Exits with an error when one of them reports a problem.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PACKAGES_DIR } from './packages.ts'

const shown = { stdio: 'inherit' } as const

const dir = mkdtempSync(join(tmpdir(), 'claimgate-pack-'))
try {
  execFileSync('npm', ['run', '-s', 'build'], shown)
  for (const name of readdirSync(PACKAGES_DIR)) {
    const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', dir], {
      cwd: join(PACKAGES_DIR, name),
      encoding: 'utf8',
    })
    const tarball = join(dir, JSON.parse(packed.slice(packed.indexOf('[')))[0].filename)
    execFileSync('publint', ['--strict', tarball], shown)
    execFileSync('attw', [tarball, '--profile', 'esm-only'], shown)
  }
  execFileSync('knip', [], shown)
  execFileSync('vitest', ['run', 'test/packages'], shown)
} finally {
  rmSync(dir, { recursive: true, force: true })
}
