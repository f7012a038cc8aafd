// Creates the tokens to verify, once, in the process that sends them. The servers read the keys from a file. There are
// more tokens than a verifier caches (10 000 by default), sent in turn, so that no token is in the cache when it arrives.

import { randomBytes } from 'node:crypto'
import type { JWK } from 'jose'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { buildClaimsSet } from '../../src/claims/claims-set.ts'
import { buildPublicKeySet } from '../../src/signing/key-set.ts'
import { createSigningKey } from '../../src/signing/make-keys.ts'

export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://api.example.com'
export const ORIGIN = 'https://www.example.com'
/** The file with the {@link Keys} in a server's working directory. */
export const KEYS_FILE = 'keys.json'

/** The keys with which the servers verify tokens. */
export interface Keys {
  /** The public key for ES256, as a JWK Set. */
  readonly jwks: { readonly keys: readonly JWK[] }
  /** The shared secret for HS256, as text. */
  readonly secret: string
}

/** The keys, and for each algorithm 20 000 tokens that they verify. */
export interface Tokens {
  readonly keys: Keys
  readonly ES256: readonly string[]
  readonly HS256: readonly string[]
}

const COUNT = 20_000
const LIFETIME_SECONDS = 3600

/** Creates all keys and tokens. Every token is bound to {@link ORIGIN} and to 127.0.0.1. */
export async function makeTokens(): Promise<Tokens> {
  const now = Date.now()
  const pair = await createSigningKey('ES256', 'current', now)
  const secret = randomBytes(32).toString('base64url')
  const shared: JWK = { kty: 'oct', k: Buffer.from(secret).toString('base64url') }
  return {
    keys: { jwks: buildPublicKeySet([pair]), secret },
    ES256: await signMany(pair.jwk, 'ES256', pair.kid, now),
    HS256: await signMany(shared, 'HS256', 'shared', now),
  }
}

async function signMany(jwk: JWK, alg: 'ES256' | 'HS256', kid: string, now: number): Promise<string[]> {
  const sign = await nodeCryptoEngine.loadSigner(jwk, alg, kid)
  const grant = {
    accountId: 'acct_000000000000',
    credentialId: '000000000000',
    lifetimeSeconds: LIFETIME_SECONDS,
    scopes: ['read'],
    origin: ORIGIN,
    ip: ['127.0.0.1'],
    jkt: undefined,
  }
  const by = { issuer: ISSUER, audience: [AUDIENCE] }
  const makeOne = () =>
    sign(JSON.stringify(buildClaimsSet(by, grant, Math.floor(now / 1000), crypto.randomUUID())))
  return Promise.all(Array.from({ length: COUNT }, makeOne))
}
