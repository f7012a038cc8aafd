// Keys of an issuer's JWK Set URL, kept fresh behind the requests' back. What it holds outlives an issuer that is
// down; what it cannot use, it skips; and no flood of made-up key ids makes it ask more than once in a while.

import type { JWK } from 'jose'
import { isJsonObject, parseJson } from '../claims/json.ts'
import type { VerificationKey } from '../claims/jws.ts'
import type { LoadVerifier } from './engine.ts'
import { fetchText } from './fetch-text.ts'
import { judgeJwk } from './jwk.ts'
import type { KeySource } from './key-source.ts'

/** What a remote source needs. */
export interface RemoteOptions {
  readonly url: string
  readonly load: LoadVerifier
  readonly fetch: typeof fetch
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
const BOUNDS = { timeoutMs: 5000, maxBytes: 256 * 1024 }
const MAX_KEYS = 100

interface HeldKey extends VerificationKey {
  /** The key's own members as text: the same key stays the same object across renewals. */
  readonly text: string
}

/** Keys at `url`, asked for when the first token comes. */
export function createRemoteKeys(options: RemoteOptions): KeySource {
  const { now } = options
  let keys: ReadonlyMap<string, HeldKey> = new Map()
  let fetchedAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let missedAt = Number.NEGATIVE_INFINITY
  let open: Promise<void> | undefined

  const isUsable = (): boolean => now() - fetchedAt < STALE_MS

  /** Never rejects: what came is taken, what did not changes nothing. */
  async function fetchKeys(): Promise<void> {
    triedAt = now()
    try {
      const text = await fetchText(options.fetch, options.url, BOUNDS)
      keys = await readKeys(text, keys, options.load)
      fetchedAt = now()
    } catch {
      // The keys that are held go on; `fetchedAt` tells for how long.
    }
  }

  function refresh(): Promise<void> {
    if (!options.sharesWork) return fetchKeys()
    open ??= fetchKeys().finally(() => {
      open = undefined
    })
    return open
  }

  return {
    get: (kid) => (isUsable() ? keys.get(kid) : undefined),

    renew() {
      if (now() - fetchedAt < FRESH_MS || !isUsable() || now() - triedAt < COOLDOWN_MS) return undefined
      const renewing = refresh()
      return options.sharesWork ? undefined : renewing
    },

    async load(kid) {
      if (isUsable()) {
        if (open === undefined && now() - missedAt < COOLDOWN_MS) return undefined
        if (open === undefined) missedAt = now()
        await refresh()
      } else if (open !== undefined || now() - triedAt >= RETRY_MS) {
        await refresh()
      }
      return isUsable() ? keys.get(kid) : 'unavailable'
    },
  }
}

/** The usable keys of a JWK Set's text. Throws on what is no JWK Set: rubbish never replaces good keys. */
async function readKeys(
  text: string,
  held: ReadonlyMap<string, HeldKey>,
  load: LoadVerifier,
): Promise<ReadonlyMap<string, HeldKey>> {
  const parsed = parseJson(text)
  const list = parsed.ok && isJsonObject(parsed.value) ? parsed.value.keys : undefined
  if (!Array.isArray(list)) throw new Error('the answer is no JWK Set')
  const keys = new Map<string, HeldKey>()
  for (const jwk of list.filter(isJsonObject).slice(0, MAX_KEYS)) {
    const judged = judgeJwk(jwk as JWK)
    // A shared secret that anybody can fetch is none.
    if (!judged.ok || judged.value.alg === 'HS256' || keys.has(judged.value.kid)) continue
    const { kid, alg } = judged.value
    const text = JSON.stringify(judged.value.jwk)
    const known = held.get(kid)
    if (known?.text === text) keys.set(kid, known)
    else {
      try {
        keys.set(kid, { kid, alg, text, verify: await load(judged.value.jwk, alg) })
      } catch {
        // A key that the engine refuses is no key.
      }
    }
  }
  if (keys.size === 0 && list.length > 0) throw new Error('the JWK Set holds no usable key')
  return keys
}
