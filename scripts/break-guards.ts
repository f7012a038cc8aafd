// `npm run test:guards`: breaks one security check of the code after the other in a copy of the project, and checks that a
// test fails each time. `npm run test:guards -- origin` runs only the rows whose description contains each of the given
// words. All rows take about 4 minutes.

import { execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Guard, guards } from './guards.ts'

const ROOT = join(import.meta.dirname, '..')
/** Copies that work at the same time. */
const COPIES = 2
/** After this time a test that hangs on a broken guard counts as failed. */
const TIMEOUT_MS = 300_000

function copyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'claimgate-guards-'))
  const listed = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' })
  for (const path of listed.split('\0').filter((name) => name !== '')) {
    cpSync(join(ROOT, path), join(folder, path))
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** Breaks one guard, runs its tests, and restores the file. Resolves to the first test that fails; undefined: all pass. */
async function tryGuard(folder: string, guard: Guard): Promise<string | undefined> {
  const path = join(folder, guard.file)
  const text = readFileSync(path, 'utf8')
  if (text.split(guard.from).length !== 2) {
    throw new Error(`${guard.file} must contain this text exactly once: ${guard.from}`)
  }
  writeFileSync(
    path,
    text.replace(guard.from, () => guard.to),
  )
  try {
    return await runTests(folder, guard.tests)
  } finally {
    writeFileSync(path, text)
  }
}

/** The first test that fails; undefined when all pass. */
async function runTests(folder: string, tests: readonly string[]): Promise<string | undefined> {
  const out = join(folder, 'guard-report.json')
  rmSync(out, { force: true })
  const options = ['--bail', '1', '--reporter', 'json', '--outputFile', out]
  const child = spawn('npx', ['vitest', 'run', ...options, ...tests], {
    cwd: folder,
    detached: true,
    stdio: 'ignore',
  })
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    process.kill(-(child.pid ?? 0), 'SIGKILL')
  }, TIMEOUT_MS)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  if (isLate) return 'a test did not end'
  if (code === 0) return undefined
  const report = JSON.parse(readFileSync(out, 'utf8'))
  if (report.numTotalTests === 0) throw new Error(`no test runs: ${tests.join(' ')}`)
  for (const { assertionResults } of report.testResults) {
    for (const { status, fullName } of assertionResults) if (status === 'failed') return fullName
  }
  return 'a test file did not load'
}

const words = process.argv.slice(2)
const chosen = guards.filter(({ what }) => words.every((word) => what.includes(word)))
const waiting = [...chosen]
const survived: Guard[] = []
/** Rejects when a test fails while nothing is broken, because then every guard would count as noticed. */
async function requireGreen(folder: string): Promise<void> {
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))]
  const failed = await runTests(folder, files)
  if (failed !== undefined) throw new Error(`a test fails while no guard is broken: ${failed}`)
}

const folders = Array.from({ length: Math.min(COPIES, waiting.length) }, copyProject)
try {
  if (folders[0] !== undefined) await requireGreen(folders[0])
  await Promise.all(
    folders.map(async (folder) => {
      for (let guard = waiting.shift(); guard !== undefined; guard = waiting.shift()) {
        const failed = await tryGuard(folder, guard).catch((error: unknown) => {
          process.stdout.write(`${String(error)}\n`)
        })
        if (failed === undefined) survived.push(guard)
        process.stdout.write(`${failed === undefined ? 'NOT NOTICED' : 'noticed'}  ${guard.what}\n`)
        process.stdout.write(`          ${failed === undefined ? guard.file : `by ${failed}`}\n`)
      }
    }),
  )
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
}
process.stdout.write(
  `${chosen.length - survived.length} of ${chosen.length} broken guards made a test fail\n`,
)
process.exitCode = survived.length === 0 ? 0 : 1
