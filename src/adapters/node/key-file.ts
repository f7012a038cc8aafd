// One signing key as a file: a private JWK (RFC 7517) with `kid`, `alg`, `use` and members for its state and times. A
// file of another form is refused, with a message that contains nothing from the file; unknown members are ignored.
// Not checked: whether the private and the public part belong together. Loading the key checks that.

import * as z from 'zod'
import { isBase64urlOf32Bytes, isCanonicalBase64url } from '../../lib/base64url.ts'
import { parseJson } from '../../lib/json.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import { formatTime } from '../../lib/time.ts'
import type { SigningKeyChange, StoredSigningKey } from '../../signing/signing-key.ts'

const kid = z.string().regex(/^[\w-]{1,128}$/)
const time = z.iso.datetime().transform((text) => Date.parse(text))
/** 32 bytes: a coordinate or private number of P-256 or Ed25519. */
const number256 = z.string().refine(isBase64urlOf32Bytes)
/** A shared secret of at least 32 bytes. */
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

/** The text of a key's file. */
export function formatKeyFile(key: StoredSigningKey): string {
  return `${JSON.stringify(toMembers(key), null, 2)}\n`
}

/** Parses the file of the key `kid`. The reason of a failure contains nothing from the file. */
export function parseKeyFile(text: string, kid: string): Result<StoredSigningKey, string> {
  const key = parseAs(keyFile, text)
  return key.ok && key.value.kid !== kid ? fail('its "kid" is not its file name') : key
}

/** A change whose condition was checked and fulfilled. It is still to be written to the key files. */
export type DecidedChange = Omit<SigningKeyChange, 'expect'>

const decidedChange = z.object({ put: z.array(keyFile), remove: z.array(kid) })

/** The text of the intent file for a change. */
export function formatChange({ put, remove }: DecidedChange): string {
  return `${JSON.stringify({ put: put.map(toMembers), remove }, null, 2)}\n`
}

/** Parses an intent file. The reason of a failure contains nothing from the file. */
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
