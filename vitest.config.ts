import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configDefaults, defineConfig } from 'vitest/config'

// One folder for everything temporary, removed at the end: a process that several files share, or that is killed, removes
// less than it made.
const temporary = mkdtempSync(join(tmpdir(), 'claimgate-tests-'))
// Tests that run as root also start programs as another user.
chmodSync(temporary, 0o755)
process.env.TMPDIR = temporary
process.once('exit', () => rmSync(temporary, { recursive: true, force: true }))

/** Files that wait for timeouts, expiries and process starts half of the time. More of them run than the machine has cores. */
const WAITING = [
  'test/admin/races.test.ts',
  'test/client/backend/workerd.test.ts',
  'test/e2e/{bad-day,crash,demo,key-folder,rotation}.test.ts',
  'test/fuzz/forward-auth.test.ts',
  'test/issue/limits.test.ts',
  'test/storage/{sqlite-changes,sqlite-faults}.test.ts',
  'test/verify/{proof-budget,revocation-list}.test.ts',
]

/** Files that neither start processes nor wait. */
const UNITS = [
  'test/{admin,claims,client,config,counters,http,issue,lib,oauth,service,signing,verify}/**/*.test.ts',
]

/** Files that wait nearly all of the time. Only these run together, so that each gets a core when it needs one. */
const QUIET = [
  'test/admin/{end-tokens,revocations}.test.ts',
  'test/cli/{locked-keys,running-server}.test.ts',
  'test/client/backend/faults.test.ts',
  'test/e2e/{http-edges,trefle}.test.ts',
  'test/e2e/client-{backend-outage,outage}.test.ts',
  'test/fuzz/heads.test.ts',
  'test/runtime/{matrix,matrix-workerd}.test.ts',
  'test/verify/{remote-keys,remote-rotation,revocation-feed}.test.ts',
]

/** Files that compare times to fractions of a second. Each runs alone. */
const PROMPT = [
  'test/e2e/{client-renewal,revocation,stop}.test.ts',
  'test/counters/memory-one-time.test.ts',
  'test/issue/heavy.test.ts',
  'test/verify/workerd.test.ts',
]

/** Files that compare latencies under full load, or how busy the event loop is. Each runs alone. */
const ALONE = ['test/e2e/crowd/*.test.ts', 'test/e2e/feed-size.test.ts', 'test/storage/sqlite-locks.test.ts']

const OUTSIDE_UNITS = [...WAITING, ...QUIET, ...PROMPT, ...ALONE]

/**
 * A group of files. Groups run one after the other, because Vitest starts a new process when it changes between groups that
 * run at the same time.
 */
interface Group {
  readonly name: string
  readonly include: string[]
  readonly exclude?: string[]
  /** Number of files that run at the same time. */
  readonly maxWorkers: number
}

const groups: readonly Group[] = [
  { name: 'waiting', include: WAITING, maxWorkers: 5 },
  { name: 'units', include: UNITS, exclude: OUTSIDE_UNITS, maxWorkers: 3 },
  {
    name: 'together',
    include: ['test/**/*.test.ts'],
    exclude: [...OUTSIDE_UNITS, ...UNITS],
    maxWorkers: 4,
  },
  { name: 'quiet', include: QUIET, maxWorkers: 7 },
  { name: 'prompt', include: PROMPT, maxWorkers: 1 },
  { name: 'alone', include: ALONE, maxWorkers: 1 },
]

export default defineConfig({
  test: {
    reporters: ['default', './scripts/count-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: groups.map(({ exclude = [], ...group }, groupOrder) => ({
      extends: true,
      test: {
        ...group,
        exclude: [...configDefaults.exclude, ...exclude],
        // A file leaves nothing behind in its process, so that the next one can use it and the modules that it has loaded.
        isolate: false,
        maxConcurrency: 15,
        sequence: { groupOrder },
      },
    })),
  },
})
