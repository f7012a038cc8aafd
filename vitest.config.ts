import { configDefaults, defineConfig } from 'vitest/config'

/** Tests that keep the whole machine busy: alone, after all others, so that neither spoils the other's times. */
const HEAVY = ['test/e2e/crowd/*.test.ts', 'test/e2e/feed-size.test.ts', 'test/e2e/bad-day.test.ts']

export default defineConfig({
  test: {
    reporters: ['default', './scripts/count-reporter.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...HEAVY],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'heavy', include: HEAVY, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
})
