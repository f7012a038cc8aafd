// Keys from an issuer's JWK Set URL. They are renewed in the background (on Workers, by a request that waits). While the
// issuer is down, the last keys stay in use for a day. Keys that cannot be used are skipped. A set without a usable key,
// such as `{"keys":[]}`, counts as a failed fetch. Unknown key ids cause at most one fetch in 30 seconds, so made-up ids
// cannot flood the issuer. Rotations need no fetch for an unknown id: the issuer publishes each key before it signs, and
// the first valid signature of a key causes a fetch, which brings the key that signs after it.

import type { JWK } from 'jose'
import type { VerificationKey } from '../../claims/jws.ts'
import { isJsonObject, parseJson } from '../../lib/json.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import { isHtml, type TellFault, unreadable } from '../options/faults.ts'
import type { TextFetcher } from '../runtime/fetch-text.ts'
import type { LoadVerifier } from '../runtime/load-key.ts'
import { parseJwk } from './jwk.ts'
import type { KeySource } from './source.ts'

/** Options of {@link createRemoteKeys}: the URL, and the functions that fetch and import its keys. */
export interface RemoteOptions {
  readonly url: string
  readonly load: LoadVerifier
  readonly fetcher: TextFetcher
  /** Returns the current time in epoch milliseconds. */
  readonly now: () => number
  /** Whether requests may share a fetch, and a fetch may outlive its request; false on Workers. */
  readonly sharesWork: boolean
  /** Told why a fetch failed. */
  readonly tellFault?: TellFault
}

/** Keys of this age are renewed. */
const FRESH_MS = 10 * 60 * 1000
/** Keys of this age are no longer used. */
const STALE_MS = 24 * 60 * 60 * 1000
/** Least time between two fetches for unknown key ids, and between a failed fetch and the next renewal. */
const COOLDOWN_MS = 30 * 1000
/** Least time between two fetches while there are no usable keys. */
const RETRY_MS = 1000
/** A rotation causes no fetch if the set is younger than this. */
const SETTLED_MS = 1000
const TIMEOUT_MS = 5000
/** On Workers, a fetch that takes longer counts as cancelled together with the request that started it. */
const LOST_AFTER_MS = 2000
const ACCEPT = 'application/jwk-set+json, application/json'
const MAX_BYTES = 256 * 1024
const MAX_KEYS = 200
const CHECK_URL =
  'check the option jwksUri; without it, the URL is <issuer>/.well-known/jwks.json, so check issuer'

interface HeldKey extends VerificationKey {
  /** The key's members as JSON: an unchanged key stays the same object when the set is renewed. */
  readonly text: string
}

type HeldKeys = ReadonlyMap<string, HeldKey>

/** Creates a source of the keys at `url`. They are fetched when the first token arrives. */
export function createRemoteKeys(options: RemoteOptions): KeySource {
  const { url, fetcher, now, sharesWork } = options
  let keys: HeldKeys = new Map()
  let fetchedAt = Number.NEGATIVE_INFINITY
  let failedAt = Number.NEGATIVE_INFINITY
  let missedAt = Number.NEGATIVE_INFINITY
  let wasAnyUsed = false
  /** Keys whose signatures cause no fetch: the first key in use, and each key after whose first use the set was renewed. */
  const settled = new WeakSet<HeldKey>()

  // The absolute difference, so that a time in the future, from before the clock was set back, is not within the span.
  const isWithin = (time: number, spanMs: number): boolean => Math.abs(now() - time) < spanMs
  const isUsable = (): boolean => isWithin(fetchedAt, STALE_MS)

  async function fetchKeys(timeoutMs: number): Promise<void> {
    try {
      const answer = await fetcher.fetchText(url, { accept: ACCEPT, timeoutMs, maxBytes: MAX_BYTES })
      keys = await readKeys(answer?.text ?? '', keys, options.load)
      fetchedAt = now()
    } catch (error) {
      // The keys in memory stay in use until `fetchedAt` is a day old.
      failedAt = now()
      options.tellFault?.(unreadable('keys', url, error, CHECK_URL))
    }
  }

  const flight = createSingleFlight({
    work: fetchKeys,
    sharesWork,
    lostAfterMs: LOST_AFTER_MS,
    now,
  })

  return {
    get: (kid) => (isUsable() ? keys.get(kid) : undefined),

    renew() {
      if (isWithin(fetchedAt, FRESH_MS) || !isUsable() || isWithin(failedAt, COOLDOWN_MS)) return undefined
      if (flight.startedAt() !== undefined) return undefined
      const renewing = flight.join(TIMEOUT_MS)
      return sharesWork ? undefined : renewing
    },

    used(kid) {
      const key = keys.get(kid)
      if (key === undefined || settled.has(key)) return undefined
      if (!wasAnyUsed) {
        wasAnyUsed = true
        settled.add(key)
        return undefined
      }
      if (isWithin(fetchedAt, SETTLED_MS) || isWithin(failedAt, COOLDOWN_MS)) return undefined
      // The issuer may have answered the current fetch before the rotation. The next token of this key starts another.
      if (flight.startedAt() !== undefined) return undefined
      const before = keys
      const renewing = flight.join(TIMEOUT_MS).then(() => {
        if (keys !== before) settled.add(key)
      })
      return sharesWork ? undefined : renewing
    },

    async load(kid) {
      const hadKeys = isUsable()
      const wasFetching = flight.startedAt() !== undefined
      const isTooSoon = hadKeys ? isWithin(missedAt, COOLDOWN_MS) : isWithin(failedAt, RETRY_MS)
      if (wasFetching || !isTooSoon) {
        await flight.join(TIMEOUT_MS)
        // No success and no failure recorded: the request that was fetching was cancelled.
        if (!isUsable() && !isWithin(failedAt, RETRY_MS)) await flight.join(TIMEOUT_MS - LOST_AFTER_MS)
        // The set was just fetched: an unknown id must not cause another fetch now.
        if (!wasFetching && (hadKeys || !keys.has(kid))) missedAt = now()
      }
      return isUsable() ? keys.get(kid) : 'unavailable'
    },
  }
}

/** The usable keys of a JWK Set's text (RFC 7517 section 5). Throws when there are none. */
async function readKeys(text: string, held: HeldKeys, load: LoadVerifier): Promise<HeldKeys> {
  const set = parseJson(text)
  if (!set.ok) throw new Error(isHtml(text) ? 'the answer is HTML, not JSON' : 'the answer is not JSON')
  const list = isJsonObject(set.value) ? set.value.keys : undefined
  if (!Array.isArray(list)) throw new Error('the answer is not a JWK Set')
  const keys = new Map<string, HeldKey>()
  for (const jwk of list.slice(0, MAX_KEYS)) {
    const parsed = parseJwk(jwk as JWK)
    // A symmetric key in a public set is not a secret.
    if (!parsed.ok || parsed.value.alg === 'HS256' || keys.has(parsed.value.kid)) continue
    const { kid, alg } = parsed.value
    const members = JSON.stringify(parsed.value.jwk)
    const known = held.get(kid)
    if (known?.text === members) keys.set(kid, known)
    else {
      try {
        keys.set(kid, { kid, alg, text: members, verify: await load(parsed.value.jwk, alg) })
      } catch {
        // The runtime cannot import this key: skip it.
      }
    }
  }
  if (keys.size === 0) throw new Error('the JWK Set has no usable key')
  return keys
}
