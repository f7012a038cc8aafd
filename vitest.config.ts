import { configDefaults, defineConfig } from 'vitest/config'

/**
 * Files that mostly wait: for timeouts, expiries, polls and process starts. Vitest cannot run two projects with different
 * numbers of workers at the same time, so these files run before the others, with more workers than the machine has cores.
 */
const WAITING = [
  'test/admin/{end-tokens,races,revocations}.test.ts',
  'test/cli/{beside,locked-keys}.test.ts',
  'test/client/backend/{faults,workerd}.test.ts',
  'test/e2e/{bad-day,client-outage,crash,demo,http-edges,key-folder}.test.ts',
  'test/e2e/{rotation,trefle}.test.ts',
  'test/fuzz/{forward-auth,heads}.test.ts',
  'test/issue/limits.test.ts',
  'test/runtime/matrix.test.ts',
  'test/storage/{sqlite-changes,sqlite-faults,sqlite-locks}.test.ts',
  'test/verify/{proof-budget,remote-keys,remote-rotation,revocation-feed,revocation-list}.test.ts',
]

/** Files that leave nothing behind in their process, so that the next file can reuse it together with its modules. */
const UNITS = [
  'test/{admin,claims,client,config,counters,http,issue,lib,oauth,service,signing,verify}/**/*.test.ts',
]

/** Files that compare latencies under full load, or times to the second. Each runs alone, after all others. */
const ALONE = [
  'test/e2e/crowd/*.test.ts',
  'test/e2e/{client-renewal,feed-size,revocation,stop}.test.ts',
  'test/verify/workerd.test.ts',
]

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
          maxWorkers: 4,
          maxConcurrency: 15,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'units',
          include: UNITS,
          exclude: [...configDefaults.exclude, ...WAITING, ...ALONE],
          isolate: false,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...WAITING, ...UNITS, ...ALONE],
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          maxWorkers: 1,
          maxConcurrency: 15,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
