// The public keys that a customer registers for private_key_jwt, as a JWK Set (RFC 7517). Only ES256 and EdDSA keys are
// accepted, and members that a key does not need are dropped.

import * as z from 'zod'
import { isJsonObject } from '../lib/json.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { parseJwk } from '../verify/keys/jwk.ts'

const MAX_KEYS = 20
const MAX_KID_LENGTH = 256
const SHAPE = `must be a JWK Set, {"keys": [...]}, of 1 to ${MAX_KEYS} keys`
const WANTED = 'register the public half of an ES256 (P-256) or EdDSA (Ed25519) key'

/** A registered key: its `kid` if it has one, and the members that its type needs. */
type ClientKey = Readonly<Record<string, unknown>>

/** Takes a JWK Set and returns it as canonical JSON text. Other members of the set are ignored (RFC 7517 section 5). */
export const clientKeys: z.ZodType<string> = z
  .object(
    { keys: z.array(z.unknown(), { error: SHAPE }).min(1, SHAPE).max(MAX_KEYS, SHAPE) },
    { error: SHAPE },
  )
  .transform(({ keys }, context) => {
    const kept: ClientKey[] = []
    for (const [index, key] of keys.entries()) {
      const checked = checkClientKey(key, kept)
      if (checked.ok) kept.push(checked.value)
      else context.addIssue({ code: 'custom', message: checked.reason, path: ['keys', index] })
    }
    return JSON.stringify({ keys: kept })
  })

function checkClientKey(key: unknown, others: readonly ClientKey[]): Result<ClientKey, string> {
  if (!isJsonObject(key)) return fail('is not a JSON object')
  const { kid } = key
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH)) {
    return fail(`has a kid that is not text of 1 to ${MAX_KID_LENGTH} characters`)
  }
  if (kid !== undefined && others.some((other) => other.kid === kid)) return fail('repeats a kid')
  if (key.kty === 'oct' || key.k !== undefined) return fail(`is a shared secret: ${WANTED}`)
  // `parseJwk` requires a kid, but a client's key may have none.
  const checked = parseJwk({ ...key, kid: kid ?? 'none' })
  if (!checked.ok) return fail(`${checked.reason}: ${WANTED}`)
  return ok({ ...(kid !== undefined && { kid }), ...checked.value.jwk })
}
