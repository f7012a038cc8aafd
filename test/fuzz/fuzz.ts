// Runs generated input. The seed is printed; FUZZ_SEED=<integer> in the environment repeats a run:
//
//   FUZZ_SEED=12345 npx vitest run test/fuzz
//
// A failure also prints the input, shrunk by fast-check. Secrets stand in the input as placeholders, so that one seed
// gives the same input in every run.

import fc from 'fast-check'
import { expect } from 'vitest'

/** No input may take longer than this, milliseconds. */
export const LIMIT_MS = 50

/** What takes longer is measured again: another process may have had the processor, milliseconds. */
const SLOW_MS = 10

/** How long one group may go on, milliseconds: on a busy machine fewer inputs are tried. */
const GROUP_MS = 10_000

/** Characters of an input that are shown. */
const MAX_SHOWN = 3000

const SEED = readSeed(process.env.FUZZ_SEED)

function readSeed(text: string | undefined): number {
  if (text === undefined || text === '') return Math.floor(Math.random() * 2 ** 31)
  const seed = Number(text)
  if (!Number.isInteger(seed)) throw new Error('FUZZ_SEED: must be an integer')
  return seed
}

/** Milliseconds for which this thread has run, whatever else the machine does; an older Node tells the time alone. */
function ranMs(): number {
  if (typeof process.threadCpuUsage !== 'function') return performance.now()
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Keeps the time of the slowest input. */
export interface Stopwatch {
  /** Does `work`, up to three times when it is slow: the quickest counts. The result is that of the first. */
  time<T>(work: () => T | Promise<T>): Promise<T>
  /** Counts inputs that were measured in another way. */
  note(inputs: number, milliseconds: number): void
}

/**
 * Tries `count` inputs, then prints the seed, how many were tried and the slowest one's time. `tryInput` rejects when an
 * input is handled wrongly.
 */
export async function fuzz<T>(
  group: string,
  count: number,
  arbitrary: fc.Arbitrary<T>,
  tryInput: (input: T, watch: Stopwatch) => Promise<void>,
): Promise<void> {
  let tried = 0
  let slowest = 0
  const note = (inputs: number, milliseconds: number): void => {
    tried += inputs
    slowest = Math.max(slowest, milliseconds)
  }
  const watch: Stopwatch = {
    async time(work) {
      const started = ranMs()
      const result = await work()
      let best = ranMs() - started
      for (let repeats = 0; repeats < 2 && best > SLOW_MS; repeats += 1) {
        const again = ranMs()
        await work()
        best = Math.min(best, ranMs() - again)
      }
      note(1, best)
      expect(best, 'milliseconds of the quickest of three runs').toBeLessThan(LIMIT_MS)
      return result
    },
    note,
  }
  let first: string | undefined
  const run = await fc.check(
    fc.asyncProperty(arbitrary, async (input) => {
      try {
        await tryInput(input, watch)
      } catch (error) {
        first ??= fc.stringify(input)
        throw error
      }
    }),
    { seed: SEED, numRuns: count, interruptAfterTimeLimit: GROUP_MS },
  )
  console.log(`fuzz ${group}: FUZZ_SEED=${SEED}, ${tried} inputs, slowest ${slowest.toFixed(1)} ms`)
  if (run.failed) {
    // Shrinking tells nothing once the server has crashed: the first input that failed is shown as well.
    const [shrunk, whole] = [fc.stringify(run.counterexample), first ?? ''].map((text) =>
      text.slice(0, MAX_SHOWN),
    )
    throw new Error(`FUZZ_SEED=${SEED} fails with ${shrunk}\nfirst with ${whole}`, {
      cause: run.errorInstance,
    })
  }
  expect(tried, 'inputs tried').toBeGreaterThan(0)
}

/** A text with one or two of its characters inserted, replaced or taken away, or its end cut off. */
export function damaged(text: fc.Arbitrary<string>, unit: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.record({ where: fc.nat(100_000), taken: fc.constantFrom(0, 1, 1, 5, 100_000), unit })
  return fc.tuple(text, fc.array(change, { minLength: 1, maxLength: 2 })).map(([start, changes]) =>
    changes.reduce((changed, { where, taken, unit }) => {
      const at = where % (changed.length + 1)
      return changed.slice(0, at) + unit + changed.slice(at + taken)
    }, start),
  )
}

/** One character for each byte. */
export const byte: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: 255 })
  .map((code) => String.fromCharCode(code))
