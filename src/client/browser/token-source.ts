// The token of this tab: in memory only, renewed before it ends, one request for all who wait, one tab for all tabs.
// Its age is counted from the moment it was asked for, on a clock that no wall clock moves. That clock may stand still
// while the machine sleeps: when the page wakes, a leap of the date is a hint to renew, and never a reason to refuse.

import { type Answer, askToken, type ClientConfig } from './ask.ts'
import { loadKey } from './dpop-key.ts'
import { DataClientError } from './error.ts'
import { type Age, judgeAge, planRenewal, planRetry } from './refresh.ts'
import { joinTabs } from './tabs.ts'

/** Options of a token source. */
export interface TokenSourceOptions {
  /** The token endpoint of the page's own backend; relative to the page. */
  readonly clientTokenUri: string
  /** Bind tokens to a key of this browser; false. */
  readonly dpop?: boolean | undefined
  /** Whether cookies go to the token endpoint, as for `fetch`: `same-origin`. */
  readonly credentials?: RequestCredentials | undefined
  /** In place of the browser's own. */
  readonly fetch?: typeof fetch | undefined
}

/** What a request carries. */
export interface Authorization {
  readonly token: string
  /** `authorization`, and `dpop` for a key-bound token: for this one request only. */
  readonly headers: Readonly<Record<string, string>>
}

/** A source of tokens; it works from the first call until it is closed. */
export interface TokenSource {
  /** The token, at once while there is a good one; rejects with a `DataClientError`. */
  getToken(): Promise<string>
  /** The headers for a request with this method to this absolute URL. `isRepeated`: the last proof was refused. */
  authorize(method: string, url: string, isRepeated?: boolean): Promise<Authorization>
  /** Forgets the token, so that the next call asks for another; given one, only if it is that one. */
  invalidate(token?: string): void
  /** Ends timers, listeners and the link to other tabs. */
  close(): void
}

/** A source that also tells what came with the token. */
export interface ConfiguredSource extends TokenSource {
  getConfig(): Promise<ClientConfig | undefined>
}

interface Held extends Answer {
  /** On the clock that only goes forward. */
  readonly askedAt: number
  /** The date then, right or wrong. */
  readonly askedOn: number
  readonly dueAt: number
}

/** What tabs tell each other. `sentAt` is on the one clock that they share; it shows what came late. */
interface Message extends Answer {
  readonly ageMs: number
  readonly sentAt: number
}

/** Looked up at each call: pages put their own in its place. */
export const browserFetch: typeof fetch = (...request) => globalThis.fetch(...request)

const now = (): number => performance.now()
const sharedNow = (): number => performance.timeOrigin + now()
const ageOf = (held: Held): number => now() - held.askedAt
/** By how much the date ran ahead since the token was asked for: perhaps the machine slept. */
const leapOf = (held: Held): number => Math.max(0, Date.now() - held.askedOn - ageOf(held))
const judge = (held: Held | undefined, leap = 0): Age =>
  held ? judgeAge(held.lifeMs, ageOf(held) + leap) : 'expired'

/** A source of tokens; asks for none before it is called. Throws where there is no browser. `onError` hears of failures. */
export function createSource(
  { clientTokenUri, dpop = false, credentials = 'same-origin', fetch = browserFetch }: TokenSourceOptions,
  onError?: (error: DataClientError) => void,
): ConfiguredSource {
  requireBrowser()
  if (!clientTokenUri) throw new TypeError('clientTokenUri is needed')
  const uri = new URL(clientTokenUri, location.href).href
  const ending = new AbortController()
  const { signal } = ending
  const ready = prepare()
  ready.catch(() => undefined)

  let held: Held | undefined
  let isDoubted = false
  let spent: string | undefined
  let renewing: Promise<Held> | undefined
  let failure: DataClientError | undefined
  let failures = 0
  /** Until then nobody is asked. */
  let notBefore = 0
  let isTold = false
  let timer: ReturnType<typeof setTimeout> | undefined

  async function prepare() {
    const key = dpop ? await loadKey() : undefined
    const tabs = joinTabs(`claimgate ${credentials} ${key?.jkt} ${uri}`, hear)
    if (signal.aborted) tabs.close()
    else signal.addEventListener('abort', tabs.close)
    return { key, tabs }
  }

  function keep(answer: Answer, ageMs: number): Held {
    const dueAfter = planRenewal(answer.lifeMs, Math.random()) - ageMs
    const next = {
      ...answer,
      askedAt: now() - ageMs,
      askedOn: Date.now() - ageMs,
      dueAt: now() + dueAfter,
    }
    held = next
    isDoubted = false
    failure = undefined
    failures = notBefore = 0
    schedule(dueAfter)
    return next
  }

  function hear(data: unknown) {
    const { token, lifeMs, config, ageMs, sentAt } = data as Message
    const age = ageMs + Math.max(0, sharedNow() - sentAt)
    if (token === spent || judgeAge(lifeMs, age) !== 'fresh') return
    if (!held || isDoubted || lifeMs - age > held.lifeMs - ageOf(held)) keep({ token, lifeMs, config }, age)
  }

  function schedule(waitMs: number | undefined) {
    clearTimeout(timer)
    if (waitMs !== undefined && !signal.aborted) timer = setTimeout(renewQuietly, waitMs)
  }

  async function renew(): Promise<Held> {
    const { key, tabs } = await ready
    const before = held
    const isRenewed = () => held !== before && judge(held) === 'fresh'
    return tabs.takeTurn(async (hasWaited) => {
      // Who was before us has told us its token, or is about to.
      for (let turns = 5; hasWaited && !isRenewed() && turns > 0; turns--) await sleep(20)
      if (held && isRenewed()) return held
      const start = now()
      try {
        const answer = await askToken({ uri, credentials, fetch, jkt: key?.jkt })
        const ageMs = now() - start
        const message: Message = { ...answer, ageMs, sentAt: sharedNow() }
        if (!signal.aborted) tabs.tell(message)
        return keep(answer, ageMs)
      } catch (error) {
        fail(error as DataClientError)
        throw error
      }
    })
  }

  function fail(error: DataClientError) {
    const { status, retryAfter } = error
    failures += 1
    failure = error
    isTold = retryAfter !== undefined
    const retryAfterMs = retryAfter === undefined ? undefined : retryAfter * 1000
    const { waitMs, isAutomatic } = planRetry({ count: failures, status, retryAfterMs }, Math.random())
    notBefore = now() + waitMs
    schedule(isAutomatic ? waitMs : undefined)
    // On its own, so that what it throws is the page's and not ours.
    if (onError) queueMicrotask(() => onError(error))
  }

  function renewOnce(): Promise<Held> {
    renewing ??= renew().finally(() => {
      renewing = undefined
    })
    return renewing
  }

  function renewQuietly() {
    renewOnce().catch(() => undefined)
  }

  async function get(): Promise<Held> {
    if (signal.aborted) throw new DataClientError('the client was closed', { code: 'closed' })
    if (held && !isDoubted && judge(held) === 'fresh') return held
    try {
      if (now() < notBefore) throw failure
      return await renewOnce()
    } catch (error) {
      // A renewal can fail while the token still works.
      if (held && judge(held) !== 'expired') return held
      throw error
    }
  }

  function wake() {
    const { document } = globalThis as { document?: { hidden: boolean } }
    if (document?.hidden) return
    if (held && judge(held, leapOf(held)) !== 'fresh') isDoubted = true
    // What failed may work now, unless a server said when.
    if (!isTold) notBefore = 0
    const isDue = held && (isDoubted || now() >= held.dueAt)
    if ((failures > 0 || isDue) && now() >= notBefore) renewQuietly()
  }

  for (const name of ['online', 'pageshow']) addEventListener(name, wake, { signal })
  const { document } = globalThis as { document?: EventTarget }
  for (const name of ['visibilitychange', 'resume']) document?.addEventListener(name, wake, { signal })

  return {
    getToken: async () => (await get()).token,
    getConfig: async () => (await get()).config,
    async authorize(method, url, isRepeated = false) {
      const current = await get()
      const { token } = current
      const { key } = await ready
      if (!key) return { token, headers: { authorization: `Bearer ${token}` } }
      // A proof that was refused may have been dated by a clock that slept.
      const elapsed = ageOf(current) + (isRepeated ? leapOf(current) : 0)
      const dpop = await key.prove({ method, url, token, iat: readIat(token) + elapsed / 1000 })
      return { token, headers: { authorization: `DPoP ${token}`, dpop } }
    },
    invalidate(token = held?.token) {
      if (held?.token !== token) return
      spent = token
      held = undefined
    },
    close() {
      ending.abort()
      clearTimeout(timer)
    },
  }
}

function requireBrowser() {
  if (!('location' in globalThis && ('document' in globalThis || 'importScripts' in globalThis))) {
    throw new Error('claimgate/browser works in browsers only; a server uses claimgate/backend')
  }
}

/** When the issuer made the token, by its own clock. */
function readIat(token: string): number {
  const [, payload = ''] = token.split('.')
  return JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))).iat
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
