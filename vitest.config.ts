import { configDefaults, defineConfig } from 'vitest/config'

/**
 * Files that mostly wait: for timeouts, expiries, polls and process starts. Vitest cannot run two projects with different
 * numbers of workers at the same time, so these files run before the others, with more workers than the machine has cores.
 */
const WAITING = [
  'test/admin/{end-tokens,races,revocations}.test.ts',
  'test/cli/{beside,locked-keys}.test.ts',
  'test/client/backend/{faults,workerd}.test.ts',
  'test/e2e/{bad-day,crash,demo,key-folder}.test.ts',
  'test/e2e/{rotation,trefle}.test.ts',
  'test/fuzz/{forward-auth,heads}.test.ts',
  'test/issue/limits.test.ts',
  'test/storage/{sqlite-changes,sqlite-faults,sqlite-locks}.test.ts',
  'test/verify/{proof-budget,remote-keys,remote-rotation,revocation-feed,revocation-list}.test.ts',
]

/** Files that leave nothing behind in their process, so that the next file can reuse it together with its modules. */
const UNITS = [
  'test/{admin,claims,client,config,counters,http,issue,lib,oauth,service,signing,verify}/**/*.test.ts',
]

/**
 * Files that compare times to fractions of a second and need little of the processor. All of them run together, and nothing
 * else at the same time, so that each gets a core when it needs one.
 */
const QUIET = [
  'test/e2e/{client-backend-outage,client-outage,client-renewal}.test.ts',
  'test/e2e/{http-edges,revocation,stop}.test.ts',
  'test/runtime/{matrix,matrix-workerd}.test.ts',
  'test/verify/workerd.test.ts',
]

/** Files that compare latencies under full load. Each runs alone, after all others. */
const ALONE = ['test/e2e/crowd/*.test.ts', 'test/e2e/feed-size.test.ts']

export default defineConfig({
  test: {
    reporters: ['default', './scripts/count-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'waiting',
          include: WAITING,
          maxWorkers: 6,
          maxConcurrency: 15,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'units',
          include: UNITS,
          exclude: [...configDefaults.exclude, ...WAITING, ...QUIET, ...ALONE],
          isolate: false,
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...WAITING, ...UNITS, ...QUIET, ...ALONE],
          maxWorkers: 4,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'quiet',
          include: QUIET,
          maxWorkers: 9,
          maxConcurrency: 15,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          maxWorkers: 1,
          maxConcurrency: 15,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
