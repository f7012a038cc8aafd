// Work that runs once for all requests that need its result. On Node they await one promise. On Workers a request must
// not await another request's promise, and work whose request was cancelled never settles: the other requests poll until
// the run has ended or counts as cancelled.

import { sleep } from './timing.ts'

/** Work of which at most one run is in progress. */
export interface SingleFlight {
  /** When the run in progress started, in milliseconds of the `now` option; undefined when there is none. */
  startedAt(): number | undefined
  /**
   * Resolves when the run in progress has ended or counts as cancelled. If there is none, starts one and calls the work
   * with `timeoutMs`; otherwise `timeoutMs` is ignored. Never rejects.
   */
  join(timeoutMs: number): Promise<void>
}

/** Options of {@link createSingleFlight}: the work, and how concurrent callers wait for it. */
export interface FlightOptions {
  /** The work. It must not reject, and keeps to `timeoutMs` itself. */
  readonly work: (timeoutMs: number) => Promise<void>
  /** Whether requests may await each other's promises: true on Node, false on Workers. */
  readonly sharesWork: boolean
  /** Milliseconds after which a run that has not ended counts as cancelled. Ignored when `sharesWork` is true. */
  readonly lostAfterMs: number
  /** Reads the current time, in milliseconds of any epoch. */
  readonly now: () => number
}

interface Flight {
  readonly since: number
  done?: Promise<void>
}

/** Time between two checks whether another request's run has ended. */
const POLL_MS = 20

/** Creates a single flight. The work does not run until the first `join`. */
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

  async function pollUntilEnd(flight: Flight): Promise<void> {
    while (current() === flight) await sleep(POLL_MS)
  }

  return {
    startedAt: () => current()?.since,
    join(timeoutMs) {
      const flight = current()
      return flight === undefined ? start(timeoutMs) : (flight.done ?? pollUntilEnd(flight))
    },
  }
}
