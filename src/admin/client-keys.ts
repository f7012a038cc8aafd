// The public keys that a customer registers (RFC 7517): what may be in such a set, and the text in which it is kept.
// Public ES256 and EdDSA keys, nothing else; members that a key does not need are dropped.

import * as z from 'zod'
import { isJsonObject } from '../lib/json.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { parseJwk } from '../verify/keys/jwk.ts'

const MAX_KEYS = 20
const MAX_KID_LENGTH = 256
const SHAPE = `must be a JWK Set, {"keys": [...]}, of 1 to ${MAX_KEYS} keys`
const WANTED = 'register the public half of an ES256 (P-256) or EdDSA (Ed25519) key'

/** A registered key: `kid` where it was given, and the members that its type needs. */
type ClientKey = Readonly<Record<string, unknown>>

/** A JWK Set in, canonical JSON text out. Other members of the set are passed over (RFC 7517 section 5). */
export const clientKeys: z.ZodType<string> = z
  .object(
    { keys: z.array(z.unknown(), { error: SHAPE }).min(1, SHAPE).max(MAX_KEYS, SHAPE) },
    { error: SHAPE },
  )
  .transform(({ keys }, context) => {
    const kept: ClientKey[] = []
    for (const [index, key] of keys.entries()) {
      const judged = judgeClientKey(key, kept)
      if (judged.ok) kept.push(judged.value)
      else context.addIssue({ code: 'custom', message: judged.reason, path: ['keys', index] })
    }
    return JSON.stringify({ keys: kept })
  })

function judgeClientKey(key: unknown, others: readonly ClientKey[]): Result<ClientKey, string> {
  if (!isJsonObject(key)) return fail('is no JSON object')
  const { kid } = key
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH)) {
    return fail(`has a kid that is not text of 1 to ${MAX_KID_LENGTH} characters`)
  }
  if (kid !== undefined && others.some((other) => other.kid === kid)) return fail('repeats a kid')
  if (key.kty === 'oct' || key.k !== undefined) return fail(`is a shared secret: ${WANTED}`)
  // A verifier's own keys need a kid; a client's need none.
  const judged = parseJwk({ ...key, kid: kid ?? 'none' })
  if (!judged.ok) return fail(`${judged.reason}: ${WANTED}`)
  return ok({ ...(kid !== undefined && { kid }), ...judged.value.jwk })
}
