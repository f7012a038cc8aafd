// One piece of work at a time, for every request that needs its outcome. On Node they await one promise. On Workers
// a request must not await another's promise, and one that is cancelled never ends its work: there the others look.

import { sleep } from './timing.ts'

/** Work that is done once for all who wait. */
export interface SingleFlight {
  /** When what is under way began, epoch milliseconds; undefined while nothing is. */
  startedAt(): number | undefined
  /** Resolves when what is under way has ended; starts it, with `timeoutMs`, when nothing is. Never rejects. */
  join(timeoutMs: number): Promise<void>
}

/** What it takes. */
export interface FlightOptions {
  /** Must not reject. */
  readonly work: (timeoutMs: number) => Promise<void>
  /** Whether requests may await one another's promise. */
  readonly sharesWork: boolean
  /** Milliseconds after which work that did not end is taken for cancelled; only where promises are not shared. */
  readonly lostAfterMs: number
  /** Epoch milliseconds. */
  readonly now: () => number
}

interface Flight {
  readonly since: number
  done?: Promise<void>
}

const LOOK_MS = 20

/** A single flight of this work. */
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
