// Work that runs once for all requests that need its result. On Node they await one promise. On Workers a request must
// not
// await another request's promise, and the work of a cancelled request never ends: there the others poll until it is
// over.

import { sleep } from './timing.ts'

/** Work of which at most one run is in progress. */
export interface SingleFlight {
  /** When the run in progress started, by the clock of the options; undefined when there is none. */
  startedAt(): number | undefined
  /** Resolves when the run in progress ends. If there is none, starts one with `timeoutMs`. Never rejects. */
  join(timeoutMs: number): Promise<void>
}

/** How a single flight works. */
export interface FlightOptions {
  /** The work; it must not reject. */
  readonly work: (timeoutMs: number) => Promise<void>
  /** Whether requests may await each other's promises: true on Node, false on Workers. */
  readonly sharesWork: boolean
  /** Milliseconds after which a run that has not ended counts as cancelled. Used only when promises are not shared. */
  readonly lostAfterMs: number
  /** A clock, milliseconds. */
  readonly now: () => number
}

interface Flight {
  readonly since: number
  done?: Promise<void>
}

const LOOK_MS = 20

/** Creates a single flight; nothing runs until the first `join`. */
export function createSingleFlight({ work, sharesWork, lostAfterMs, now }: FlightOptions): SingleFlight {
  let latest: Flight | undefined

  function current(): Flight | undefined {
    const isLost = !sharesWork && latest !== undefined && Math.abs(now() - latest.since) >= lostAfterMs
    return isLost ? undefined : latest
  }

  function start(timeoutMs: number): Promise<void> {
    const flight: Flight = { since: now() }
    latest = flight
    const done = work(timeoutMs).finally(() => {
      if (latest === flight) latest = undefined
    })
    if (sharesWork) flight.done = done
    return done
  }

  async function lookForEnd(flight: Flight): Promise<void> {
    while (current() === flight) await sleep(LOOK_MS)
  }

  return {
    startedAt: () => current()?.since,
    join(timeoutMs) {
      const flight = current()
      return flight === undefined ? start(timeoutMs) : (flight.done ?? lookForEnd(flight))
    },
  }
}
