// Looking again for keys that came after the last look: at most once in 250 ms, however many made-up ids are asked for,
// and without an answer from before: who asks too soon waits for the next look. Nobody awaits another's promise, which
// Workers forbid; who looked and was cancelled there holds nobody up.

import { isDoneWithin, sleep } from '../lib/timing.ts'

/** Between the beginnings of two looks. */
const COOLDOWN_MS = 250
/** How long anybody waits, and how long a look that does not end keeps others from looking. */
const WAIT_MS = 2000
/** How often those who wait see whether a look has ended. */
const PEEK_MS = 20
/** So many wait for a look; who comes then is answered from memory. */
const MAX_WAITING = 1000

/**
 * Resolves once `has(kid)`, or a look that was on or begun since has ended, or 2 s are over. Never rejects: where
 * `look` fails, what is in memory decides.
 */
export function createLateKeys(
  has: (kid: string) => boolean,
  look: () => Promise<void>,
): (kid: string) => Promise<void> {
  // A monotonic clock: one that is set back must not stretch any of the spans.
  let latest: { readonly since: number; isOver: boolean } | undefined
  let ended = 0
  let waiting = 0

  /** Milliseconds until the next look may begin. */
  function restMs(): number {
    if (latest === undefined) return 0
    return latest.since + (latest.isOver ? COOLDOWN_MS : WAIT_MS) - performance.now()
  }

  async function lookAgain(patienceMs: number): Promise<void> {
    const current = { since: performance.now(), isOver: false }
    latest = current
    waiting = 0
    const end = (): void => {
      current.isOver = true
      ended += 1
    }
    await isDoneWithin(patienceMs, look().then(end, end))
  }

  return async (kid) => {
    const asked = performance.now()
    const seen = ended
    waiting += 1
    if (waiting > MAX_WAITING && restMs() > 0) return
    while (!has(kid) && ended === seen) {
      const patience = asked + WAIT_MS - performance.now()
      if (patience <= 0) return
      const rest = restMs()
      if (rest <= 0) await lookAgain(patience)
      else await sleep(latest?.isOver ? rest : PEEK_MS)
    }
  }
}
