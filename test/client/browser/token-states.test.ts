// The table of token-states.ts: every event in every state, the pairs that do nothing included.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DataClientError } from '../../../src/client/browser/error.ts'
import {
  ageOf,
  answerCall,
  type HeldToken,
  type Moment,
  type Phase,
  START,
  type TokenEvents,
  type TokenState,
  takeStep,
} from '../../../src/client/browser/token-states.ts'

const PHASES = ['idle', 'asking', 'paused', 'closed'] as const
const EVENTS = [
  ...(['call', 'due', 'wake', 'heard', 'answered'] as const),
  ...(['failed', 'skipped', 'slept', 'invalidate', 'close'] as const),
]

/** Every event of these tests happens now; with `random` 0, every wait is the shortest. */
const NOW: Moment = { at: 1_000_000, date: 9_000_000, random: 0 }
/** A token of 60 s is renewed at 45 s, is ending at 55 s, and has expired at 60 s. */
const LIFE_MS = 60_000

const answerOf = (token: string) => ({ token, lifeMs: LIFE_MS, config: undefined })

/** A token that was requested `ageMs` ago on the monotonic clock, and `sleptMs` more by the date. */
const hold = (token: string, ageMs: number, sleptMs = 0): HeldToken => ({
  ...answerOf(token),
  askedAt: NOW.at - ageMs,
  askedOn: NOW.date - ageMs - sleptMs,
})

const fresh = hold('fresh', 10_000)
const due = hold('due', 50_000)
const ending = hold('ending', 58_000)
const expired = hold('expired', 60_000)
const slept = hold('slept', 10_000, 50_000)

const outage = new DataClientError('down', { status: 503, code: 'unavailable' })
const busy = new DataClientError('busy', { status: 429, code: 'rate_limited', retryAfter: 30 })
const refusal = new DataClientError('no', { status: 401, code: 'unauthorized' })
const failuresOf = (error: DataClientError, leftMs: number, count = 1) => ({
  failures: { error, count, until: NOW.at + leftMs },
})

/** The same, after a request that a wake caused. */
const wokenOf = (error: DataClientError, leftMs: number, count = 1) => ({
  failures: { error, count, until: NOW.at + leftMs, isWoken: true },
})

/** The token `new`, requested 2 s ago. */
const arrival = { answer: answerOf('new'), ageMs: 2000 }
const kept = { phase: 'idle', held: hold('new', 2000), dueAt: NOW.at + 43_000 } as const
const asking = { phase: 'asking' } as const
const inOtherTab = { error: outage, isHeard: true }

type Data = Partial<TokenState>
interface Row {
  readonly in: Phase
  readonly on: keyof TokenEvents
  readonly when: string
  readonly state?: Data
  readonly event?: object
  /** What the event changes. Undefined: the event returns the same state object. */
  readonly changes?: Data
}

/** One row for each of these states. */
const inEach = (phases: readonly Phase[], row: Omit<Row, 'in'>): readonly Row[] =>
  phases.map((phase) => ({ in: phase, ...row }))

const rows: readonly Row[] = [
  // call
  { in: 'idle', on: 'call', when: 'there is no token', changes: asking },
  {
    in: 'idle',
    on: 'call',
    when: 'the token is ending',
    state: { held: ending },
    changes: { ...asking, isSuspect: true },
  },
  {
    ...{ in: 'idle', on: 'call', when: 'the token is suspect', changes: asking },
    state: { held: fresh, isSuspect: true },
  },
  ...inEach(['idle', 'paused'], { on: 'call', when: 'the token is fresh', state: { held: fresh } }),
  {
    ...{ in: 'idle', on: 'call', when: 'the machine may have slept', state: { held: slept } },
    changes: { ...asking, isSuspect: true },
  },
  ...inEach(['asking', 'closed'], { on: 'call', when: 'there is no token' }),
  { in: 'paused', on: 'call', when: 'the pause goes on', state: failuresOf(outage, 1) },
  { in: 'paused', on: 'call', when: 'the pause is over', state: failuresOf(outage, 0), changes: asking },

  // due
  { in: 'idle', on: 'due', when: 'the token is still fresh', state: { held: due }, changes: asking },
  { in: 'idle', on: 'due', when: 'the token was invalidated', changes: asking },
  { in: 'paused', on: 'due', when: 'the pause is over', state: failuresOf(outage, 0), changes: asking },
  ...inEach(['asking', 'closed'], { on: 'due', when: 'a timer of an earlier state runs out' }),

  // wake
  { in: 'idle', on: 'wake', when: 'there is no token' },
  { in: 'idle', on: 'wake', when: 'the token is not due', state: { held: fresh, dueAt: NOW.at + 1 } },
  {
    ...{ in: 'idle', on: 'wake', when: 'the timer is late' },
    ...{ state: { held: due, dueAt: NOW.at }, changes: asking },
  },
  {
    ...{ in: 'idle', on: 'wake', when: 'the machine may have slept' },
    ...{ state: { held: slept, dueAt: NOW.at + 1 }, changes: { ...asking, isSuspect: true } },
  },
  {
    ...{ in: 'asking', on: 'wake', when: 'the machine may have slept' },
    ...{ state: { held: slept }, changes: { isSuspect: true } },
  },
  { in: 'asking', on: 'wake', when: 'the token is fresh', state: { held: fresh } },
  {
    in: 'paused',
    on: 'wake',
    when: 'the server did not say how long to wait',
    state: failuresOf(outage, 1),
    changes: { ...asking, ...wokenOf(outage, 1) },
  },
  { in: 'paused', on: 'wake', when: 'an earlier wake has already asked', state: wokenOf(outage, 1) },
  {
    ...{ in: 'paused', on: 'wake', when: 'the server refused', state: failuresOf(refusal, 1) },
    changes: { ...asking, ...wokenOf(refusal, 1) },
  },
  { in: 'paused', on: 'wake', when: 'the server asked to wait longer', state: failuresOf(busy, 1) },
  {
    in: 'paused',
    on: 'wake',
    when: 'the wait that the server asked for is over',
    state: failuresOf(busy, 0),
    changes: asking,
  },
  {
    ...{ in: 'paused', on: 'wake', when: 'the machine may have slept, and the server asked to wait longer' },
    ...{ state: { held: slept, ...failuresOf(busy, 1) }, changes: { isSuspect: true } },
  },
  { in: 'closed', on: 'wake', when: 'the machine may have slept', state: { held: slept } },

  // heard
  ...inEach(['idle', 'paused'], { on: 'heard', when: 'there is no token', changes: kept }),
  { in: 'asking', on: 'heard', when: 'there is no token', changes: { ...kept, ...asking } },
  {
    ...{ in: 'paused', on: 'heard', when: 'requests failed' },
    ...{ state: failuresOf(busy, 9000), changes: { ...kept, failures: undefined } },
  },
  ...inEach(['idle', 'paused'], {
    ...{ on: 'heard', when: 'this tab’s token is older', state: { held: fresh }, changes: kept },
  }),
  ...inEach(['idle', 'asking', 'paused'], {
    ...{ on: 'heard', when: 'this tab’s token is newer', state: { held: hold('newest', 2000) } },
  }),
  {
    ...{ in: 'idle', on: 'heard', when: 'this tab’s token is newer, but suspect' },
    ...{ state: { held: hold('newest', 1), isSuspect: true }, changes: { ...kept, isSuspect: undefined } },
  },
  ...inEach(['idle', 'asking', 'paused'], {
    ...{ on: 'heard', when: 'the token was invalidated here', state: { invalidated: 'new' } },
  }),
  ...inEach(['idle', 'asking', 'paused'], {
    ...{ on: 'heard', when: 'the message came too late', event: { ...arrival, ageMs: 55_000 } },
  }),
  ...inEach(['idle', 'asking', 'paused'], {
    ...{ on: 'heard', when: 'the message is garbage', event: { answer: {}, ageMs: Number.NaN } },
  }),
  { in: 'closed', on: 'heard', when: 'there is no token' },
  ...[401, 403].map((status): Row => {
    const refused = new DataClientError('no', { status, code: 'no' })
    return { in: 'paused', on: 'heard', when: `a ${status} refused this page`, state: failuresOf(refused, 1) }
  }),

  // answered
  { in: 'asking', on: 'answered', when: 'there is no token', changes: kept },
  {
    ...{ in: 'asking', on: 'answered', when: 'requests failed before' },
    ...{ state: { ...failuresOf(busy, 0), held: slept, isSuspect: true, invalidated: 'old' } },
    changes: { ...kept, failures: undefined, isSuspect: undefined },
  },
  {
    ...{ in: 'asking', on: 'answered', when: 'the answer is for a session that has ended' },
    ...{ state: { isDisowned: true }, changes: { isDisowned: undefined } },
  },
  {
    ...{ in: 'asking', on: 'answered', when: 'the API refused the token before' },
    ...{ state: { isReplacing: true } },
    changes: { ...kept, held: { ...kept.held, isReplacing: true }, isReplacing: undefined },
  },
  { in: 'closed', on: 'answered', when: 'calls still wait', changes: { held: kept.held } },
  ...inEach(['idle', 'paused'], { on: 'answered', when: 'nothing was requested' }),

  // failed
  {
    ...{ in: 'asking', on: 'failed', when: 'it is the first failure' },
    changes: { phase: 'paused', ...failuresOf(outage, 750), dueAt: NOW.at + 750 },
  },
  {
    ...{ in: 'asking', on: 'failed', when: 'it is the third failure', state: failuresOf(busy, 0, 2) },
    changes: { phase: 'paused', ...failuresOf(outage, 18_000, 3), dueAt: NOW.at + 18_000 },
  },
  {
    ...{ in: 'asking', on: 'failed', when: 'the server said how long to wait', event: { error: busy } },
    changes: { phase: 'paused', ...failuresOf(busy, 30_000), dueAt: NOW.at + 30_000 },
  },
  {
    ...{ in: 'asking', on: 'failed', when: 'the server refused', event: { error: refusal } },
    ...{ state: { dueAt: NOW.at + 1 } },
    changes: { phase: 'paused', ...failuresOf(refusal, 1000), dueAt: undefined },
  },
  {
    ...{ in: 'asking', on: 'failed', when: 'it is about a session that has ended' },
    ...{ state: { isDisowned: true }, changes: { isDisowned: undefined } },
  },
  { in: 'closed', on: 'failed', when: 'calls still wait' },

  // failed, in another tab
  {
    ...{ in: 'idle', on: 'failed', when: 'another tab failed, and this one has not asked for a token yet' },
    ...{ event: inOtherTab, changes: { phase: 'paused', ...failuresOf(outage, 750) } },
  },
  {
    ...{ in: 'idle', on: 'failed', when: 'another tab failed, and this one is due before the pause is over' },
    ...{ event: inOtherTab, state: { held: due, dueAt: NOW.at + 10 } },
    changes: { phase: 'paused', ...failuresOf(outage, 750), dueAt: NOW.at + 750 },
  },
  {
    ...{ in: 'idle', on: 'failed', when: 'another tab failed, and this one is due later' },
    ...{ event: inOtherTab, state: { held: fresh, dueAt: NOW.at + 30_000 } },
  },
  {
    ...{ in: 'asking', on: 'failed', when: 'another tab failed' },
    ...{ event: inOtherTab, changes: { ...failuresOf(outage, 750), dueAt: NOW.at + 750 } },
  },
  {
    ...{ in: 'asking', on: 'failed', when: 'another tab failed, and the answer of this one is not wanted' },
    ...{ event: inOtherTab, state: { isDisowned: true } },
    changes: { ...failuresOf(outage, 750), dueAt: NOW.at + 750 },
  },
  {
    ...{ in: 'paused', on: 'failed', when: 'another tab failed after a wake', state: failuresOf(outage, 0) },
    ...{ event: { ...inOtherTab, isWoken: true } },
    changes: { ...wokenOf(outage, 3000, 2), dueAt: NOW.at + 3000 },
  },
  {
    ...{ in: 'paused', on: 'failed', when: 'another tab failed, and the endpoint refused this one' },
    ...{ event: inOtherTab, state: failuresOf(refusal, 1) },
  },

  // skipped
  {
    ...{ in: 'asking', on: 'skipped', when: 'another tab sent its token', state: { held: fresh } },
    changes: { phase: 'idle' },
  },
  {
    ...{ in: 'asking', on: 'skipped', when: 'another tab failed', state: failuresOf(outage, 1) },
    changes: { phase: 'paused' },
  },
  ...inEach(['idle', 'paused', 'closed'], { on: 'skipped', when: 'nothing was requested' }),

  // slept
  ...inEach(['idle', 'asking', 'paused'], {
    ...{ on: 'slept', when: 'a proof was refused', state: { held: fresh }, changes: { hasSlept: true } },
  }),
  { in: 'closed', on: 'slept', when: 'a proof was refused', state: { held: fresh } },
  {
    ...{ in: 'asking', on: 'answered', when: 'the machine slept before', state: { hasSlept: true } },
    changes: { ...kept, hasSlept: undefined },
  },

  // invalidate
  ...inEach(['idle', 'asking', 'paused'], {
    ...{ on: 'invalidate', when: 'it is the present token', state: { held: fresh, dueAt: 1 } },
    ...{ event: { token: 'fresh' }, changes: { held: undefined, invalidated: 'fresh', isReplacing: true } },
  }),
  ...inEach(['idle', 'paused'], {
    ...{ on: 'invalidate', when: 'no token is named', state: { held: fresh } },
    changes: { held: undefined, invalidated: 'fresh', isReplacing: false },
  }),
  {
    ...{ in: 'asking', on: 'invalidate', when: 'no token is named', state: { held: fresh } },
    changes: { held: undefined, invalidated: 'fresh', isReplacing: false, isDisowned: true },
  },
  ...inEach(PHASES, {
    ...{ on: 'invalidate', when: 'it is an older token', state: { held: fresh }, event: { token: 'older' } },
  }),
  ...inEach(['idle', 'paused', 'closed'], {
    ...{ on: 'invalidate', when: 'there is no token', state: { invalidated: 'older' } },
  }),
  {
    ...{ in: 'asking', on: 'invalidate', when: 'there is no token', state: { invalidated: 'older' } },
    changes: { isDisowned: true },
  },
  { in: 'closed', on: 'invalidate', when: 'it is the present token', state: { held: fresh } },

  // close
  ...inEach(['idle', 'asking', 'paused'], {
    ...{ on: 'close', when: 'a timer is set', state: { held: fresh, dueAt: NOW.at + 1 } },
    changes: { phase: 'closed', dueAt: undefined },
  }),
  { in: 'closed', on: 'close', when: 'it is repeated', state: { held: fresh } },
]

const detailsOf: { readonly [Name in keyof TokenEvents]?: object } = {
  heard: arrival,
  answered: arrival,
  failed: { error: outage },
}

function take(state: TokenState, on: keyof TokenEvents, event: object | undefined, moment = NOW): TokenState {
  return takeStep(state, on, { ...moment, ...(event ?? detailsOf[on]) } as never)
}

describe('the table', () => {
  test.each(rows)('$in, $on, when $when', ({ in: phase, on, state, event, changes }) => {
    const before: TokenState = { phase, ...state }
    const after = take(before, on, event)
    if (changes) expect(after).toEqual({ ...before, ...changes })
    else expect(after).toBe(before)
  })

  test.each(PHASES.flatMap((phase) => EVENTS.map((name) => [phase, name] as const)))(
    'has a row above for %s and %s',
    (phase, name) => {
      expect(rows.some((row) => row.in === phase && row.on === name)).toBe(true)
    },
  )
})

describe('a call gets', () => {
  test.each<readonly [string, TokenState, unknown]>([
    ['a fresh token', { phase: 'idle', held: fresh }, fresh],
    ['a fresh token, also while another is requested', { phase: 'asking', held: fresh }, fresh],
    ['the result of the request, when the token is ending', { phase: 'asking', held: ending }, undefined],
    [
      'the result of the request, when the token is suspect',
      { phase: 'asking', held: fresh, isSuspect: true },
      undefined,
    ],
    ['a fresh token during a pause', { phase: 'paused', held: fresh, ...failuresOf(busy, 1) }, fresh],
    ['an ending token during a pause', { phase: 'paused', held: ending, ...failuresOf(busy, 1) }, ending],
    [
      'a suspect token during a pause',
      { phase: 'paused', held: fresh, isSuspect: true, ...failuresOf(busy, 1) },
      fresh,
    ],
    [
      'the last error during a pause, when the token has expired',
      { phase: 'paused', held: expired, ...failuresOf(busy, 1) },
      busy,
    ],
    ['the last error during a pause without a token', { phase: 'paused', ...failuresOf(busy, 1) }, busy],
    ['the result of a request, after the pause', { phase: 'paused', ...failuresOf(busy, 0) }, undefined],
  ])('%s', (_, state, answer) => {
    expect(answerCall(state, NOW)).toBe(answer)
  })

  test('an error when the source is closed, even if the token is fresh', () => {
    expect(answerCall({ phase: 'closed', held: fresh }, NOW)).toMatchObject({ code: 'closed', status: 0 })
  })
})

test.each([
  ['the monotonic clock', 10_000, hold('x', 10_000, 5000), false],
  ['the monotonic clock, even when it was set back', -10_000, hold('x', -10_000), false],
  ['the date, when the machine may have slept', 15_000, hold('x', 10_000, 5000), true],
  ['the monotonic clock, when the date was set back', 10_000, hold('x', 10_000, -5000), true],
])('the age of a token goes by %s', (_, ageMs, held, mayHaveSlept) => {
  expect(ageOf(held, NOW, mayHaveSlept)).toBe(ageMs)
})

test('after any events a call gets an answer or starts a request, and a closed source stays closed', () => {
  const anyEvent = fc.record({
    on: fc.constantFrom(...EVENTS),
    error: fc.constantFrom(outage, busy, refusal),
    isHeard: fc.option(fc.constant(true), { nil: undefined }),
    isWoken: fc.option(fc.constant(true), { nil: undefined }),
    token: fc.option(fc.constantFrom('a', 'b'), { nil: undefined }),
    answer: fc.constantFrom(answerOf('a'), answerOf('b'), answerOf('c')),
    ageMs: fc.nat(70_000),
    random: fc.double({ min: 0, max: 1, noNaN: true }),
    passMs: fc.nat(40_000),
    leapMs: fc.integer({ min: -90_000, max: 90_000 }),
  })
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
      let state = START
      let moment = NOW
      for (const { on, passMs, leapMs, random, ...details } of events) {
        moment = { at: moment.at + passMs, date: moment.date + passMs + leapMs, random }
        const before = state
        state = take(before, on, details, moment)
        if (before.phase === 'closed') expect(state.phase).toBe('closed')
        if (state.phase === 'idle') expect(state.failures?.until ?? 0).toBeLessThanOrEqual(moment.at)
        if (state.phase === 'paused') expect(state.failures).toBeDefined()
        if (state.phase === 'closed') expect(state.dueAt).toBeUndefined()
        const called = take(state, 'call', {}, moment)
        expect(answerCall(called, moment) !== undefined || called.phase === 'asking').toBe(true)
      }
    }),
    { numRuns: 2000 },
  )
})
