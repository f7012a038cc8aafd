// Tokens to be verified: made once, by the process that sends them, with keys that the servers are given in a file.
// More of them than a verifier remembers (10 000 unless told), sent in turn: each is unknown whenever it comes.

import { randomBytes } from 'node:crypto'
import type { JWK } from 'jose'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { buildClaimsSet } from '../../src/claims/claims-set.ts'
import { buildPublicKeySet } from '../../src/signing/key-set.ts'
import { createSigningKey } from '../../src/signing/make-keys.ts'

export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://api.example.com'
export const ORIGIN = 'https://www.example.com'
/** The file in a server's working directory that holds its {@link Keys}. */
export const KEYS_FILE = 'keys.json'

/** What the servers verify with. */
export interface Keys {
  /** ES256. */
  readonly jwks: { readonly keys: readonly JWK[] }
  /** HS256, as text. */
  readonly secret: string
}

/** Keys, and tokens that each of them verifies. */
export interface Tokens {
  readonly keys: Keys
  readonly ES256: readonly string[]
  readonly HS256: readonly string[]
}

const COUNT = 20_000
const LIFETIME_SECONDS = 3600

/** All tokens, bound to {@link ORIGIN} and to this machine's address. */
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
