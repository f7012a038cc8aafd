// Keeps the token of this tab, in memory only, and renews it before it expires. All waiting calls share one request, and
// one tab requests for all tabs. The table in token-states.ts decides what each event does; this file has the clock, the
// timer, the request, the listeners and the messages to other tabs. The age of a token is measured from the moment of its
// request, on the monotonic clock.

import { type Answer, askToken, type ClientConfig } from './ask.ts'
import { loadKey } from './dpop-key.ts'
import { DataClientError } from './error.ts'
import { isRefusal, sleep } from './renewal.ts'
import { joinTabs } from './tabs.ts'
import {
  ageOf,
  answerCall,
  type Failed,
  findFresh,
  findUsable,
  type HeldToken,
  type Moment,
  START,
  type TokenEvents,
  takeStep,
} from './token-states.ts'

/** Options of {@link createTokenSource}; only `clientTokenUri` is required. */
export interface TokenSourceOptions {
  /** URL of the token endpoint of the page's own backend, absolute or relative to the page. */
  readonly clientTokenUri: string
  /** Whether to bind tokens to a key of this browser (RFC 9449). Default: false. */
  readonly dpop?: boolean | undefined
  /** Whether to send cookies to the token endpoint, as for `fetch`. Default: `same-origin`. */
  readonly credentials?: RequestCredentials | undefined
  /**
   * Replaces the `fetch` of the browser. Default: `globalThis.fetch`. Without `session`, tokens are then not shared with
   * other tabs, because only this function knows whose they are.
   */
  readonly fetch?: typeof fetch | undefined
  /**
   * Names the visitor's session, 1 to 200 characters: tabs share tokens only within it. Needed on sites whose visitor can
   * change while a tab is open. Default: one session for all pages of this origin, endpoint and `credentials`.
   */
  readonly session?: string | undefined
}

/** The token and the headers for one request. */
export interface Authorization {
  readonly token: string
  /** `authorization`; for a key-bound token also `dpop`, a proof that is valid for one request only. */
  readonly headers: Readonly<Record<string, string>>
}

/** A source of tokens, made by {@link createTokenSource}. It renews its token from the first call until it is closed. */
export interface TokenSource {
  /**
   * Resolves to the current token while it is fresh, else to a new one. When a renewal fails, resolves to the current
   * token until that expires. Rejects with a {@link DataClientError} when there is no usable token.
   */
  getToken(): Promise<string>
  /**
   * The headers for a request with this method to this absolute URL. `isRepeated` (default false): the request is
   * repeated because the API refused its proof. Rejects as `getToken` does.
   */
  authorize(method: string, url: string, isRepeated?: boolean): Promise<Authorization>
  /**
   * Forgets the current token, so that the next call requests a new one. With `token`, does so only if that is the current
   * one. Without, the answer of a request that is under way is not used either.
   */
  invalidate(token?: string): void
  /** Stops the timer, the listeners and the exchange with other tabs. Later calls reject with `closed`. */
  close(): void
}

/** A source with what only the client for the API needs. */
export interface ConfiguredSource extends TokenSource {
  /** The `config` that the token endpoint sent with the current token. */
  getConfig(): Promise<ClientConfig | undefined>
  /**
   * Tells that the API refused this token. True: call again, with a new token. False: the token came from a refusal less
   * than 10 s ago, so that another one would not help.
   */
  refuse(token: string): boolean
  /** The issuer's time, epoch milliseconds; the page's while there is no token. */
  now(): number
}

/** The message with which a tab tells the other tabs of its new token, or of its failure. */
type Message = (Answer & { readonly ageMs: number }) | Failed

/** A message as the other tabs get it: of a token, or with an `error`. */
type Received = Answer &
  Partial<Failed> & {
    readonly ageMs: number
    /** When it was sent, by `sharedNow`. The receiver adds the time since then to the age. */
    readonly sentAt: number
  }

/** How long a token that came from a refusal is used in spite of further refusals. */
const PROBATION_MS = 10_000

/** Globals of pages, and of workers. The TypeScript library of this project does not declare them. */
const browser = globalThis as {
  readonly document?: { readonly hidden: boolean; readonly baseURI: string }
  readonly importScripts?: unknown
}

/** `globalThis.fetch`, read at each call, because a page may replace it later. */
export const browserFetch: typeof fetch = (...request) => globalThis.fetch(...request)

/** Epoch milliseconds on the monotonic clock, which tabs can compare: `performance.now()` starts at 0 in each tab. */
const sharedNow = (): number => performance.timeOrigin + performance.now()
const readMoment = (): Moment => ({ at: performance.now(), date: Date.now(), random: Math.random() })

/**
 * Creates a source of tokens. The first call of a method sends the first request. `onError` is called for every failed
 * request, also for those that no call waits for. Throws an Error outside of browsers, and a TypeError when
 * `clientTokenUri` is empty or not a URL.
 */
export function createSource(
  { clientTokenUri, dpop, credentials = 'same-origin', fetch, session }: TokenSourceOptions,
  onError?: (error: DataClientError) => void,
): ConfiguredSource {
  if (!browser.document && !browser.importScripts) {
    throw new Error('browsers only; a server uses claimgate/backend')
  }
  if (!clientTokenUri) throw new TypeError('clientTokenUri is required')
  if (session !== undefined && (typeof session !== 'string' || !session || session.length > 200)) {
    throw new TypeError('session: 1 to 200 characters')
  }
  const uri = new URL(clientTokenUri, pageBase()).href
  const ending = new AbortController()
  const { signal } = ending
  const ready = prepare()
  ready.catch(() => undefined)

  let state = START
  let timer: ReturnType<typeof setTimeout> | undefined
  let asking: Promise<HeldToken>

  async function prepare() {
    const key = dpop ? await loadKey() : undefined
    const isShared = session || !fetch
    const name = isShared ? `claimgate ${JSON.stringify([credentials, key?.jkt, uri, session])}` : ''
    return { key, tabs: joinTabs(name, hear, signal) }
  }

  /** Applies an event to the state, then sets the timer or starts a request if the new state says so. */
  function send<Name extends keyof TokenEvents>(
    name: Name,
    details?: Omit<TokenEvents[Name], keyof Moment>,
  ): Moment {
    const { phase, dueAt } = state
    const event = { ...readMoment(), ...details } as TokenEvents[Name]
    state = takeStep(state, name, event)
    if (state.dueAt !== dueAt) {
      clearTimeout(timer)
      if (state.dueAt) timer = setTimeout(() => send('due'), state.dueAt - event.at)
    }
    if (state.phase === 'asking' && phase !== 'asking') {
      asking = renew()
      asking.catch(() => undefined)
    }
    return event
  }

  async function renew(): Promise<HeldToken> {
    const { key, tabs } = await ready
    const { held: before, failures } = state
    /** A token or an outage that another tab has told since then. */
    const findNews = () =>
      (state.held !== before && findFresh(state, readMoment())) ||
      (state.failures !== failures && state.failures?.error)
    const tell = (message: Message) => tabs.tell({ ...message, sentAt: sharedNow() })
    return tabs.takeTurn(async (hasWaited) => {
      // The tab that had the turn before tells what came of it, which may arrive up to 100 ms later.
      for (let tries = 5; hasWaited && !findNews() && tries > 0; tries--) await sleep(20)
      const heard = findNews()
      if (heard) {
        send('skipped')
        if (heard instanceof Error) throw heard
        return heard
      }
      for (;;) {
        const startedAt = performance.now()
        try {
          const answer = await askToken({ uri, credentials, fetch: fetch ?? browserFetch, jkt: key?.jkt })
          const ageMs = performance.now() - startedAt
          if (!state.isDisowned) tell({ ...answer, ageMs })
          send('answered', { answer, ageMs })
          if (state.phase !== 'asking') return state.held as HeldToken
        } catch (thrown) {
          const error = thrown as DataClientError
          send('failed', { error })
          if (state.phase !== 'asking') {
            // Not a refusal: that is about the visitor of this tab.
            if (!isRefusal(error.status)) {
              tell({ error: { ...error, message: error.message }, isWoken: state.failures?.isWoken })
            }
            // In a microtask, so that an exception of the page's callback does not replace `error`.
            queueMicrotask(() => onError?.(error))
            throw error
          }
        }
      }
    })
  }

  function hear(data: unknown) {
    const { sentAt, error, isWoken, ageMs, ...answer } = data as Received
    if (error) send('failed', { error: new DataClientError(error.message, error), isHeard: true, isWoken })
    else send('heard', { answer, ageMs: ageMs + Math.max(0, sharedNow() - sentAt) })
  }

  /** The issuer's time, epoch milliseconds: the token's `iat`, which is not verified, and the token's age. */
  function timeOf(held: HeldToken): number {
    const payload = held.token.split('.')[1] as string
    const { iat } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/')))
    return iat * 1000 + ageOf(held, readMoment(), state.hasSlept)
  }

  async function get(): Promise<HeldToken> {
    await ready
    const moment = send('call')
    const answer = answerCall(state, moment)
    if (answer instanceof Error) throw answer
    return answer ?? asking.catch((error) => findUsable(state, readMoment()) ?? Promise.reject(error))
  }

  const wake = () => {
    if (!browser.document?.hidden) send('wake')
  }
  // `visibilitychange` is an event of the document, which only a capturing listener of the window surely gets. `focus` must
  // not be captured: each field of the page would wake.
  for (const name of ['online', 'pageshow', 'focus', 'visibilitychange']) {
    addEventListener(name, wake, { signal, capture: name === 'visibilitychange' })
  }

  return {
    getToken: async () => (await get()).token,
    getConfig: async () => (await get()).config,
    async authorize(method, url, isRepeated = false) {
      const held = await get()
      const { token } = held
      const { key } = await ready
      // The refused proof may have had an `iat` that was too early, because the monotonic clock can stop during sleep.
      if (isRepeated) send('slept')
      const dpop = await key?.prove({ method, url, token, iat: timeOf(held) / 1000 })
      return {
        token,
        headers: { authorization: `${dpop ? 'DPoP' : 'Bearer'} ${token}`, ...(dpop && { dpop }) },
      }
    },
    invalidate: (token) => void send('invalidate', { token }),
    refuse(token) {
      const { held } = state
      const isHeld = held?.token === token
      if (isHeld && held.isReplacing && ageOf(held, readMoment()) < PROBATION_MS) return false
      send('invalidate', { token })
      return true
    },
    now: () => (state.held ? timeOf(state.held) : Date.now()),
    close() {
      ending.abort()
      send('close')
    },
  }
}

/** The base of relative URLs: also in frames without a URL of their own. Workers have no document. */
export function pageBase(): string {
  return browser.document?.baseURI ?? location.href
}
