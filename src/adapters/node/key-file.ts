// One signing key as a file: a private JWK (RFC 7517) with `kid`, `alg`, `use` and our members for its life.
// Refuses what is not exactly such a key; what it says of a file never holds anything from inside it.
// Not checked here: that the private and the public part belong together (loading the key does that).

import * as z from 'zod'
import { is32Bytes, isCanonicalBase64url } from '../../lib/base64url.ts'
import { parseJson } from '../../lib/json.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import { formatTime } from '../../lib/time.ts'
import type { SigningKeyChange, StoredSigningKey } from '../../signing/signing-key.ts'

const kid = z.string().regex(/^[\w-]{1,128}$/)
const time = z.iso.datetime().transform((text) => Date.parse(text))
/** 32 bytes: a coordinate or private number of P-256 or Ed25519. */
const number256 = z.string().refine(is32Bytes)
/** At least 32 bytes. */
const secret = z.string().refine((text) => text.length >= 43 && isCanonicalBase64url(text))

const life = {
  kid,
  use: z.literal('sig'),
  state: z.enum(['pending', 'current', 'retiring', 'expired']),
  created_at: time,
  current_since: time.nullable(),
  expires_at: time.nullable(),
}
const ec = { kty: z.literal('EC'), crv: z.literal('P-256'), x: number256, y: number256, d: number256 }
const okp = { kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: number256, d: number256 }
const oct = { kty: z.literal('oct'), k: secret }

const keyFile = z
  .discriminatedUnion('alg', [
    z.object({ alg: z.literal('ES256'), ...ec, ...life }),
    z.object({ alg: z.literal('EdDSA'), ...okp, ...life }),
    z.object({ alg: z.literal('HS256'), ...oct, ...life }),
  ])
  .transform(
    ({ kid, alg, use: _, state, created_at, current_since, expires_at, ...jwk }): StoredSigningKey => {
      return {
        kid,
        alg,
        state,
        createdAt: created_at,
        currentSince: current_since,
        expiresAt: expires_at,
        jwk,
      }
    },
  )

/** A key as the text of its file. */
export function formatKeys(key: StoredSigningKey): string {
  return `${JSON.stringify(toMembers(key), null, 2)}\n`
}

/** Reads the file of the key `kid`; a failure says what is wrong, without anything from inside. */
export function parseKeyFile(text: string, kid: string): Result<StoredSigningKey, string> {
  const key = parseAs(keyFile, text)
  return key.ok && key.value.kid !== kid ? fail('its "kid" is not its file name') : key
}

/** What is still to be done of a change. */
export type DecidedChange = Omit<SigningKeyChange, 'expect'>

const decidedChange = z.object({ put: z.array(keyFile), remove: z.array(kid) })

/** A change as JSON. */
export function formatChange({ put, remove }: DecidedChange): string {
  return `${JSON.stringify({ put: put.map(toMembers), remove }, null, 2)}\n`
}

/** Reads a change. */
export function parseChange(text: string): Result<DecidedChange, string> {
  return parseAs(decidedChange, text)
}

function parseAs<T>(schema: z.ZodType<T>, text: string): Result<T, string> {
  const json = parseJson(text)
  if (!json.ok) return fail(json.reason === 'malformed' ? 'is not JSON' : 'has a member twice')
  const parsed = schema.safeParse(json.value)
  if (parsed.success) return ok(parsed.data)
  const path = parsed.error.issues[0]?.path.join('.') ?? ''
  return fail(path === '' ? 'is not a JWK' : `its "${path}" is missing or wrong`)
}

function toMembers(key: StoredSigningKey): object {
  const { kid, alg, state, createdAt, currentSince, expiresAt, jwk } = key
  const life = {
    state,
    created_at: formatTime(createdAt),
    current_since: formatTime(currentSince),
    expires_at: formatTime(expiresAt),
  }
  return { ...jwk, kid, alg, use: 'sig', ...life }
}
