// Keeps the token of this tab, in memory only, and renews it before it expires. All waiting calls share one request, and
// one tab requests for all tabs. The table in token-states.ts decides what each event does; this file has the clock, the
// timer, the request, the listeners and the messages to other tabs. The age of a token is measured from the moment of its
// request, on the monotonic clock.

import { type Answer, askToken, type ClientConfig } from './ask.ts'
import { loadKey } from './dpop-key.ts'
import type { DataClientError } from './error.ts'
import { joinTabs } from './tabs.ts'
import {
  ageOf,
  answerCall,
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
  /** Replaces the `fetch` of the browser. Default: `globalThis.fetch`. */
  readonly fetch?: typeof fetch | undefined
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
   * one.
   */
  invalidate(token?: string): void
  /** Stops the timer, the listeners and the exchange with other tabs. Later calls reject with `closed`. */
  close(): void
}

/** A source that also returns the `config` that the token endpoint sent with the current token. */
export interface ConfiguredSource extends TokenSource {
  getConfig(): Promise<ClientConfig | undefined>
}

/** The message with which a tab sends its new token to the other tabs. */
interface Message extends Answer {
  readonly ageMs: number
  /** When it was sent, by `sharedNow`. The receiver adds the time since then to the age. */
  readonly sentAt: number
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
  { clientTokenUri, dpop = false, credentials = 'same-origin', fetch = browserFetch }: TokenSourceOptions,
  onError?: (error: DataClientError) => void,
): ConfiguredSource {
  requireBrowser()
  if (!clientTokenUri) throw new TypeError('clientTokenUri is required')
  const uri = new URL(clientTokenUri, location.href).href
  const ending = new AbortController()
  const { signal } = ending
  const ready = prepare()
  ready.catch(() => undefined)

  let state = START
  let timer: ReturnType<typeof setTimeout> | undefined
  let asking: Promise<HeldToken>

  async function prepare() {
    const key = dpop ? await loadKey() : undefined
    return { key, tabs: joinTabs(`claimgate ${credentials} ${key?.jkt} ${uri}`, hear, signal) }
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
    const before = state.held
    const findNew = () => (state.held === before ? undefined : findFresh(state, readMoment()))
    return tabs.takeTurn(async (hasWaited) => {
      // The tab that had the turn before sends its new token as a message: waits up to 100 ms for that.
      for (let tries = 5; hasWaited && !findNew() && tries > 0; tries--) await sleep(20)
      const heard = findNew()
      if (heard) {
        send('skipped')
        return heard
      }
      const start = readMoment()
      try {
        const answer = await askToken({ uri, credentials, fetch, jkt: key?.jkt })
        const ageMs = readMoment().at - start.at
        const message: Message = { ...answer, ageMs, sentAt: sharedNow() }
        tabs.tell(message)
        send('answered', { answer, ageMs })
        return state.held as HeldToken
      } catch (error) {
        send('failed', { error: error as DataClientError })
        // In a microtask, so that an exception of the page's callback does not replace `error`.
        queueMicrotask(() => onError?.(error as DataClientError))
        throw error
      }
    })
  }

  function hear(data: unknown) {
    const { ageMs, sentAt, ...answer } = data as Message
    send('heard', { answer, ageMs: ageMs + Math.max(0, sharedNow() - sentAt) })
  }

  async function get(): Promise<HeldToken> {
    await ready
    const moment = send('call')
    const answer = answerCall(state, moment)
    if (answer instanceof Error) throw answer
    return answer ?? asking.catch((error) => findUsable(state, readMoment()) ?? Promise.reject(error))
  }

  const page = globalThis as { readonly document?: EventTarget & { readonly hidden: boolean } }
  const wake = () => {
    if (!page.document?.hidden) send('wake')
  }
  for (const name of ['online', 'pageshow']) addEventListener(name, wake, { signal })
  for (const name of ['visibilitychange', 'resume']) page.document?.addEventListener(name, wake, { signal })

  return {
    getToken: async () => (await get()).token,
    getConfig: async () => (await get()).config,
    async authorize(method, url, isRepeated = false) {
      const held = await get()
      const { token } = held
      const { key } = await ready
      if (!key) return { token, headers: { authorization: `Bearer ${token}` } }
      // The refused proof may have had an `iat` that was too early, because the monotonic clock can stop during sleep.
      const ageMs = ageOf(held, readMoment(), isRepeated)
      const dpop = await key.prove({ method, url, token, iat: readIat(token) + ageMs / 1000 })
      return { token, headers: { authorization: `DPoP ${token}`, dpop } }
    },
    invalidate: (token) => void send('invalidate', { token }),
    close() {
      ending.abort()
      send('close')
    },
  }
}

function requireBrowser() {
  if (!('location' in globalThis && ('document' in globalThis || 'importScripts' in globalThis))) {
    throw new Error('claimgate/browser works in browsers only; a server uses claimgate/backend')
  }
}

/** The token's `iat`: epoch seconds by the issuer's clock. Nothing is verified. */
function readIat(token: string): number {
  const [, payload = ''] = token.split('.')
  return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))).iat
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
