import { configDefaults, defineConfig } from 'vitest/config'

/**
 * Tests that keep the whole machine busy, or go by its clock to the second: each alone, after all others, so that none
 * spoils the times of another.
 */
const ALONE = [
  'test/e2e/crowd/*.test.ts',
  'test/e2e/feed-size.test.ts',
  'test/e2e/bad-day.test.ts',
  'test/e2e/client-renewal.test.ts',
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
          name: 'together',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...ALONE],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } },
      },
    ],
  },
})
