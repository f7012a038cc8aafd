// The states of a token source, and what each event does in each of them, as a table. Pure: no timer, no fetch, no
// clock; each event brings the time. token-source.ts sends the events and acts on the state that results.
//
//                 call without a fresh token
//                 due
//                 wake, if the token is due or suspect
//            +------+ ---------------------------------> +--------+
//   start -> | idle |                                    | asking |
//            +------+ <--------------------------------- +--------+
//               ^      answered: keep the token            |    ^
//               |      skipped: a token was heard          |    | due
//               |                                          |    | call without a fresh token, after the pause
//               |                   failed: begin a pause  |    | wake, after the pause; also during it,
//               |                                          |    |       unless the server said how long
//               |                                          v    |
//               |   heard: keep a better token           +--------+ <- idle: failed, in another tab
//               +--------------------------------------- | paused |
//                                                        +--------+
//
//   idle, asking, paused -- close --> closed
//
// Events that change only the data of a state:
//   heard       idle, asking: a better token of another tab replaces this one
//   failed      asking, in another tab: the request that waits for its turn is then skipped
//   invalidate  idle, asking, paused: the token is forgotten; without a token also the answer that is under way
//   answered    asking: an answer that was invalidated before it came is dropped, and the next one is asked for
//   failed      asking: the same
//   wake, call  idle, asking, paused: the token becomes suspect if it may have expired while the machine slept
//   slept       idle, asking, paused: proofs are dated by the page's date, until the next token
//   answered    closed: the token is kept for the calls that still wait for it
// All other pairs of state and event do nothing: see TABLE.

import type { Answer } from './ask.ts'
import { DataClientError } from './error.ts'
import { type Age, isRefusal, judgeAge, planRenewal, planRetry } from './renewal.ts'

/** When an event happened, and a random number from 0 to 1 for the waits that follow from it. */
export interface Moment {
  /** Milliseconds on the monotonic clock, which may stop while the machine sleeps. */
  readonly at: number
  /** `Date.now()`, which may be wrong. Only differences are used. */
  readonly date: number
  readonly random: number
}

/** A token of the token endpoint, and when it was requested. */
export interface HeldToken extends Answer {
  /** Time of the request on the monotonic clock, milliseconds. */
  readonly askedAt: number
  /** Time of the request by `Date.now()`. */
  readonly askedOn: number
  /** It came because the API had refused the token before it. */
  readonly isReplacing?: boolean | undefined
}

/** The failed requests since the last token. */
export interface Failures {
  readonly count: number
  /** The error of the latest failure. */
  readonly error: DataClientError
  /** End of the pause that follows it, on the monotonic clock. */
  readonly until: number
  /** A wake has added a request to this outage; no other does. */
  readonly isWoken?: boolean | undefined
}

/** The name of a state, as in the drawing above. */
export type Phase =
  /** No request is under way. There may be a token, whose timer is then set. */
  | 'idle'
  /** One request is under way, or waits for its turn among the tabs. */
  | 'asking'
  /** The last request failed. No other starts before the pause is over. */
  | 'paused'
  /** The page closed the source. */
  | 'closed'

/** A state of the token source, with its data. */
export interface TokenState {
  readonly phase: Phase
  readonly held?: HeldToken | undefined
  /** The page's date ran ahead of the monotonic clock: the token may have expired while the machine slept. */
  readonly isSuspect?: boolean | undefined
  /** The API refused a proof as old: the monotonic clock stopped while the machine slept. */
  readonly hasSlept?: boolean | undefined
  /** The API refused the token before: what comes next replaces it. */
  readonly isReplacing?: boolean | undefined
  /** The answer that is under way belongs to a session that has ended. */
  readonly isDisowned?: boolean | undefined
  /** The token that was invalidated last; other tabs may still send it. */
  readonly invalidated?: string | undefined
  /** When to send `due`, on the monotonic clock; undefined: never. */
  readonly dueAt?: number | undefined
  readonly failures?: Failures | undefined
}

/** A token that has just come, and how many milliseconds ago it was requested. */
export interface Arrival {
  readonly answer: Answer
  readonly ageMs: number
}

/** A request for a token that failed, in this tab or in another one. */
export interface Failed {
  readonly error: DataClientError
  /** It was a request of another tab, and its failure no refusal. */
  readonly isHeard?: boolean | undefined
  /** A wake caused it, in another tab. */
  readonly isWoken?: boolean | undefined
}

/** The events by name, with the data that each of them brings. */
export interface TokenEvents {
  /** The page needs a token. {@link answerCall} says what it gets. */
  readonly call: Moment
  /** The timer has run out. */
  readonly due: Moment
  /** The page became visible, was resumed, or is online again. */
  readonly wake: Moment
  /** Another tab sent its token. */
  readonly heard: Moment & Arrival
  /** The request brought a token. */
  readonly answered: Moment & Arrival
  /** The request brought no token. */
  readonly failed: Moment & Failed
  /** No request was sent, because another tab had just sent its token, or had just failed. */
  readonly skipped: Moment
  /** The API refused a proof. */
  readonly slept: Moment
  /** The API refused this token; undefined: the page wants a new one, for example because its visitor has changed. */
  readonly invalidate: Moment & { readonly token: string | undefined }
  /** The page needs no more tokens. */
  readonly close: Moment
}

type Row<Name extends keyof TokenEvents> = (state: TokenState, event: TokenEvents[Name]) => TokenState

/** The state before the first call. */
export const START: TokenState = { phase: 'idle' }

/**
 * The age of a token in milliseconds. `mayHaveSlept` also counts the time by which the date ran ahead of the monotonic
 * clock since the request: that clock may have stopped while the machine slept.
 */
export function ageOf({ askedAt, askedOn }: HeldToken, { at, date }: Moment, mayHaveSlept = false): number {
  const ageMs = at - askedAt
  return mayHaveSlept ? Math.max(ageMs, date - askedOn) : ageMs
}

/** What the token of this state can be used for. A suspect token is never fresh. */
function judge({ held, isSuspect }: TokenState, moment: Moment, mayHaveSlept?: boolean): Age {
  const age = held ? judgeAge(held.lifeMs, ageOf(held, moment, mayHaveSlept)) : 'expired'
  return isSuspect && age === 'fresh' ? 'ending' : age
}

/** The token, if it has not expired: a renewal can fail while the token still works. */
export function findUsable(state: TokenState, moment: Moment): HeldToken | undefined {
  return judge(state, moment) === 'expired' ? undefined : state.held
}

/** The token, if it is fresh, so that a request can carry it. */
export function findFresh(state: TokenState, moment: Moment): HeldToken | undefined {
  return judge(state, moment) === 'fresh' ? state.held : undefined
}

/** What a `call` gets: a token or an error. Undefined means that it waits for the result of the request. */
export function answerCall(state: TokenState, moment: Moment): HeldToken | DataClientError | undefined {
  const { phase, failures } = state
  if (phase === 'closed') return new DataClientError('the client was closed', { code: 'closed' })
  const isPausing = phase === 'paused' && failures && moment.at < failures.until
  return findFresh(state, moment) ?? (isPausing ? (findUsable(state, moment) ?? failures.error) : undefined)
}

const ask = (state: TokenState): TokenState => ({ ...state, phase: 'asking' })

/** A suspect token is renewed but not dropped: perhaps the date was corrected, and the machine did not sleep. */
const markSuspect = (state: TokenState, event: Moment): TokenState =>
  state.held && judge(state, event, true) !== 'fresh' ? { ...state, isSuspect: true } : state

const askIfDue: Row<'wake'> = (before, event) => {
  const state = markSuspect(before, event)
  const { held, isSuspect, dueAt = 0 } = state
  return held && (isSuspect || event.at >= dueAt) ? ask(state) : state
}

/** Asks again before the pause is over, unless the server said how long to wait. */
const askUnlessToldToWait: Row<'wake'> = (before, event) => {
  const state = markSuspect(before, event)
  const { failures } = state
  if (!failures || event.at >= failures.until) return ask(state)
  const isTold = failures.error.retryAfter !== undefined
  return isTold || failures.isWoken ? state : { ...ask(state), failures: { ...failures, isWoken: true } }
}

const askUnlessAnswered: Row<'call'> = (before, event) => {
  const state = markSuspect(before, event)
  return answerCall(state, event) ? state : ask(state)
}

const keep: Row<'answered'> = ({ invalidated, isReplacing }, { answer, ageMs, at, date, random }) => ({
  phase: 'idle',
  held: { ...answer, askedAt: at - ageMs, askedOn: date - ageMs, isReplacing },
  dueAt: at - ageMs + planRenewal(answer.lifeMs, random),
  invalidated,
})

/** An answer that is not wanted any more changes nothing but that: the next one is. */
const unlessDisowned =
  <Name extends 'answered' | 'failed'>(row: Row<Name>): Row<Name> =>
  (state, event) =>
    state.isDisowned && !('isHeard' in event) ? { ...state, isDisowned: undefined } : row(state, event)

/** The endpoint refused this page: a token of another tab is not for it. */
const isRefusedPage = ({ failures }: TokenState): boolean => /^40[13]/.test(String(failures?.error.status))

const keepIfBetter: Row<'heard'> = (state, event) => {
  const { phase, held, isSuspect, invalidated } = state
  const { answer, ageMs } = event
  const isUseful =
    !isRefusedPage(state) && answer.token !== invalidated && judgeAge(answer.lifeMs, ageMs) === 'fresh'
  const isBetter = !held || isSuspect || answer.lifeMs - ageMs > held.lifeMs - ageOf(held, event)
  if (!isUseful || !isBetter) return state
  return { ...keep(state, event), phase: phase === 'asking' ? phase : 'idle' }
}

const returnToIdle: Row<'skipped'> = (state, { at }) => {
  const { failures } = state
  return { ...state, phase: failures && at < failures.until ? 'paused' : 'idle' }
}

/** The outage of another tab is one of this tab too, so that all of them pause. */
const pause: Row<'failed'> = (state, { error, isHeard, isWoken, at, random }) => {
  const { phase, held, dueAt, failures } = state
  const count = (failures?.count ?? 0) + 1
  const until = at + planRetry(error, count, random)
  // A refusal of this page goes on; a token that is due later is renewed later.
  if (isHeard && (isRefusedPage(state) || (phase === 'idle' && dueAt && dueAt > until))) return state
  // A tab that never needed a token waits for a call.
  const isInUse = !isHeard || held || failures || phase === 'asking'
  return {
    ...state,
    phase: isHeard && phase === 'asking' ? phase : 'paused',
    failures: { count, error, until, isWoken: isWoken || failures?.isWoken },
    // Waiting does not change a refusal, so only a call requests again.
    dueAt: isInUse && !isRefusal(error.status) ? until : undefined,
  }
}

const forget: Row<'invalidate'> = (before, { token }) => {
  const { held, phase } = before
  const isHeld = held && (!token || held.token === token)
  const state = isHeld
    ? { ...before, held: undefined, invalidated: held.token, isReplacing: !!token }
    : before
  return !token && phase === 'asking' ? { ...state, isDisowned: true } : state
}

const noteSleep = (state: TokenState): TokenState => ({ ...state, hasSlept: true })

const close = (state: TokenState): TokenState => ({ ...state, phase: 'closed', dueAt: undefined })

const keepClosed: Row<'answered'> = (state, event) => close(keep(state, event))

/** One row for the three states before `closed`. */
const inEach = <Name extends keyof TokenEvents>(row: Row<Name>) => ({ idle: row, asking: row, paused: row })

/** The pairs that change something. All others leave the state as it is. */
const TABLE: { readonly [Name in keyof TokenEvents]: Readonly<Partial<Record<Phase, Row<Name>>>> } = {
  call: { idle: askUnlessAnswered, asking: markSuspect, paused: askUnlessAnswered },
  due: { idle: ask, paused: ask },
  wake: { idle: askIfDue, asking: markSuspect, paused: askUnlessToldToWait },
  heard: inEach(keepIfBetter),
  answered: { asking: unlessDisowned(keep), closed: keepClosed },
  failed: { idle: pause, asking: unlessDisowned(pause), paused: pause },
  skipped: { asking: returnToIdle },
  slept: inEach<'slept'>(noteSleep),
  invalidate: inEach(forget),
  close: inEach<'close'>(close),
}

/** The state after an event, by the table; the same object where the event changes nothing. */
export function takeStep<Name extends keyof TokenEvents>(
  state: TokenState,
  name: Name,
  event: TokenEvents[Name],
): TokenState {
  return TABLE[name][state.phase]?.(state, event) ?? state
}
