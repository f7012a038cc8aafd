// Keys of an issuer's JWK Set URL, kept fresh behind the requests' back. What it holds outlives an issuer that is
// down; what it cannot use, it skips; and no flood of made-up key ids makes it ask more than once in a while. Nor does it
// have to: the first right signature under another key tells of a rotation, and so that the next key is published.
// A set without a usable key, `{"keys":[]}` too, is rubbish: it never replaces good keys, nor counts as an answer.

import type { JWK } from 'jose'
import type { VerificationKey } from '../../claims/jws.ts'
import { isJsonObject, parseJson } from '../../lib/json.ts'
import { createSingleFlight } from '../../lib/single-flight.ts'
import type { TextFetcher } from '../runtime/fetch-text.ts'
import type { LoadVerifier } from '../runtime/load-key.ts'
import { parseJwk } from './jwk.ts'
import type { KeySource } from './source.ts'

/** What a remote source needs. */
export interface RemoteOptions {
  readonly url: string
  readonly load: LoadVerifier
  readonly fetcher: TextFetcher
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Whether requests may wait for one another's fetch, and leave one behind: not on Workers. */
  readonly sharesWork: boolean
}

const FRESH_MS = 10 * 60 * 1000
const STALE_MS = 24 * 60 * 60 * 1000
/** Between two fetches for an unknown key id, and between two tries to renew a set that is held. */
const COOLDOWN_MS = 30 * 1000
/** Between two tries while there are no keys at all. */
const RETRY_MS = 1000
/** A set this young is not asked for again because of a rotation. */
const SETTLED_MS = 1000
const TIMEOUT_MS = 5000
/** On Workers: a fetch that takes longer may have ended with the request that began it. Ask anew, within the same time. */
const LOST_AFTER_MS = 2000
const ACCEPT = 'application/jwk-set+json, application/json'
const MAX_BYTES = 256 * 1024
const MAX_KEYS = 200

interface HeldKey extends VerificationKey {
  /** The key's own members as text: the same key stays the same object across renewals. */
  readonly text: string
}

type HeldKeys = ReadonlyMap<string, HeldKey>

/** Keys at `url`, asked for when the first token comes. */
export function createRemoteKeys(options: RemoteOptions): KeySource {
  const { url, fetcher, now, sharesWork } = options
  let keys: HeldKeys = new Map()
  let fetchedAt = Number.NEGATIVE_INFINITY
  let failedAt = Number.NEGATIVE_INFINITY
  let missedAt = Number.NEGATIVE_INFINITY
  let hasUse = false
  /** Keys that were seen in use, and the set renewed since. */
  const settled = new WeakSet<HeldKey>()

  // Either way: a clock that was set back must not stretch any of the spans.
  const isWithin = (time: number, spanMs: number): boolean => Math.abs(now() - time) < spanMs
  const isUsable = (): boolean => isWithin(fetchedAt, STALE_MS)

  async function fetchKeys(timeoutMs: number): Promise<void> {
    try {
      const answer = await fetcher.fetchText(url, { accept: ACCEPT, timeoutMs, maxBytes: MAX_BYTES })
      keys = await readKeys(answer?.text ?? '', keys, options.load)
      fetchedAt = now()
    } catch {
      // The keys that are held go on; `fetchedAt` tells for how long.
      failedAt = now()
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
      if (!hasUse) {
        hasUse = true
        settled.add(key)
        return undefined
      }
      if (isWithin(fetchedAt, SETTLED_MS) || isWithin(failedAt, COOLDOWN_MS)) return undefined
      // What is under way may have been answered before the rotation: the key's next token asks.
      if (flight.startedAt() !== undefined) return undefined
      const before = keys
      const renewing = flight.join(TIMEOUT_MS).then(() => {
        if (keys !== before) settled.add(key)
      })
      return sharesWork ? undefined : renewing
    },

    async load(kid) {
      const isMissed = isUsable()
      const isOpen = flight.startedAt() !== undefined
      const rests = isMissed ? isWithin(missedAt, COOLDOWN_MS) : isWithin(failedAt, RETRY_MS)
      if (isOpen || !rests) {
        await flight.join(TIMEOUT_MS)
        // Neither had nor failed: who was fetching went away with its request.
        if (!isUsable() && !isWithin(failedAt, RETRY_MS)) await flight.join(TIMEOUT_MS - LOST_AFTER_MS)
        // A set that was just asked for is not asked for again because of the same id.
        if (!isOpen && (isMissed || !keys.has(kid))) missedAt = now()
      }
      return isUsable() ? keys.get(kid) : 'unavailable'
    },
  }
}

/** The usable keys of a JWK Set's text (RFC 7517 section 5). Throws when there are none. */
async function readKeys(text: string, held: HeldKeys, load: LoadVerifier): Promise<HeldKeys> {
  const parsed = parseJson(text)
  const list = parsed.ok && isJsonObject(parsed.value) ? parsed.value.keys : undefined
  if (!Array.isArray(list)) throw new Error('the answer is no JWK Set')
  const keys = new Map<string, HeldKey>()
  for (const jwk of list.slice(0, MAX_KEYS)) {
    const judged = parseJwk(jwk as JWK)
    // A shared secret that anybody can fetch is none.
    if (!judged.ok || judged.value.alg === 'HS256' || keys.has(judged.value.kid)) continue
    const { kid, alg } = judged.value
    const members = JSON.stringify(judged.value.jwk)
    const known = held.get(kid)
    if (known?.text === members) keys.set(kid, known)
    else {
      try {
        keys.set(kid, { kid, alg, text: members, verify: await load(judged.value.jwk, alg) })
      } catch {
        // A key that the engine refuses is no key.
      }
    }
  }
  if (keys.size === 0) throw new Error('the JWK Set holds no usable key')
  return keys
}
