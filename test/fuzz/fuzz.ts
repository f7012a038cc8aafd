// Runs tests on generated input. Prints the seed; FUZZ_SEED=<integer> in the environment repeats a run:
//
//   FUZZ_SEED=12345 npx vitest run test/fuzz
//
// A failure also prints the input, shrunk by fast-check. The input has placeholders instead of secrets, so that a seed
// gives the same input in every run.

import fc from 'fast-check'
import { expect } from 'vitest'

/** The longest time that an input may take, in milliseconds of CPU time. */
export const LIMIT_MS = 50

/** Milliseconds. An input that takes longer is measured again, because garbage collection may have been counted. */
const SLOW_MS = 10

/** The time limit of a group, in milliseconds. A busy machine tries fewer inputs. */
const GROUP_MS = 10_000

/** How many characters of an input a failure shows. */
const MAX_SHOWN = 3000

const SEED = readSeed(process.env.FUZZ_SEED)

function readSeed(text: string | undefined): number {
  if (text === undefined || text === '') return Math.floor(Math.random() * 2 ** 31)
  const seed = Number(text)
  if (!Number.isInteger(seed)) throw new Error('FUZZ_SEED: must be an integer')
  return seed
}

/** CPU time of this thread in milliseconds; where Node has no `threadCpuUsage`, the time since the process started. */
function ranMs(): number {
  if (typeof process.threadCpuUsage !== 'function') return performance.now()
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Measures inputs, and remembers the slowest. */
export interface Stopwatch {
  /**
   * Calls `work`, up to three times when it is slow, and counts the fastest call. Resolves to the result of the first.
   */
  time<T>(work: () => T | Promise<T>): Promise<T>
  /** Adds inputs that the caller has measured, with the milliseconds of the slowest. */
  note(inputs: number, milliseconds: number): void
}

/**
 * Calls `tryInput` with `count` inputs, or fewer after {@link GROUP_MS}. `tryInput` rejects when an input is handled
 * wrongly. Prints the seed, the number of inputs and the time of the slowest.
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
    // After a crash of the server every input fails, so the shrunk input says nothing. Therefore the first one is shown too.
    const [shrunk, whole] = [fc.stringify(run.counterexample), first ?? ''].map((text) =>
      text.slice(0, MAX_SHOWN),
    )
    throw new Error(`FUZZ_SEED=${SEED} fails with ${shrunk}\nfirst with ${whole}`, {
      cause: run.errorInstance,
    })
  }
  expect(tried, 'inputs tried').toBeGreaterThan(0)
}

/** A text in which one or two characters are inserted, replaced or removed, or whose end is cut off. */
export function damaged(text: fc.Arbitrary<string>, unit: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.record({ where: fc.nat(100_000), taken: fc.constantFrom(0, 1, 1, 5, 100_000), unit })
  return fc.tuple(text, fc.array(change, { minLength: 1, maxLength: 2 })).map(([start, changes]) =>
    changes.reduce((changed, { where, taken, unit }) => {
      const at = where % (changed.length + 1)
      return changed.slice(0, at) + unit + changed.slice(at + taken)
    }, start),
  )
}

/** Any byte, as one character of Latin-1. */
export const byte: fc.Arbitrary<string> = fc
  .integer({ min: 0, max: 255 })
  .map((code) => String.fromCharCode(code))
