// Tokens signed by keys that the test owns, and verifiers that pin those keys, for attacks on `claimgate/verify`.

import {
  createHmac,
  createSecretKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { expect } from 'vitest'
import {
  ClaimError,
  createVerifier,
  type RequestLike,
  type VerifiableRequest,
  type VerifierRules,
} from '../../src/verify/verifier.ts'
import { base64url } from './forge.ts'
import type { Json } from './wire.ts'

export const ALGS = ['ES256', 'EdDSA', 'HS256'] as const
export type Alg = (typeof ALGS)[number]

/** The issuer and audience of a mint's tokens, as options of a verifier. */
export const RULES = { issuer: 'https://auth.example.com', audience: 'https://api.example.com' } as const
export const SITE = 'https://www.example.com'

export interface Mint {
  readonly alg: Alg
  readonly kid: string
  /** The private key, or the shared secret with HS256. */
  readonly key: KeyObject
  /** The key that verifiers pin: the public key, or the shared secret with HS256. */
  readonly jwk: JsonWebKey & { readonly kty: string; readonly kid: string }
  sign(input: string): Buffer
  /** A compact JWS over any bytes, with a valid signature. */
  compact(header: string | Uint8Array, payload: string | Uint8Array): string
  /** A valid token except for these members; undefined removes one. */
  token(claims?: Json, header?: Json): string
  /** The JSON text of a valid header or valid claims, except for these members. */
  header(members?: Json): string
  payload(members?: Json): string
}

export function createMint(alg: Alg, kid = `key-${alg}`): Mint {
  const { key, jwk } = createKey(alg)
  const signInput = (input: string): Buffer => {
    if (alg === 'HS256') return createHmac('sha256', key).update(input).digest()
    const how = alg === 'ES256' ? ({ key, dsaEncoding: 'ieee-p1363' } as const) : key
    return sign(alg === 'ES256' ? 'sha256' : null, Buffer.from(input), how)
  }
  const header = (members: Json = {}): string => JSON.stringify({ alg, kid, typ: 'at+jwt', ...members })
  const payload = (members: Json = {}): string => JSON.stringify({ ...goodClaims(), ...members })
  const compact: Mint['compact'] = (head, body) => {
    const input = `${base64url(head)}.${base64url(body)}`
    return `${input}.${base64url(signInput(input))}`
  }
  return {
    alg,
    kid,
    key,
    jwk: { ...jwk, kty: jwk.kty ?? '', kid },
    sign: signInput,
    compact,
    token: (claims, members) => compact(header(members), payload(claims)),
    header,
    payload,
  }
}

function createKey(alg: Alg): { readonly key: KeyObject; readonly jwk: JsonWebKey } {
  if (alg === 'HS256') {
    const key = createSecretKey(randomBytes(32))
    return { key, jwk: key.export({ format: 'jwk' }) }
  }
  const { privateKey, publicKey } =
    alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  return { key: privateKey, jwk: publicKey.export({ format: 'jwk' }) }
}

/** The current time in whole epoch seconds. It reads `Date.now`, which fake timers control. */
export const now = (): number => Math.floor(Date.now() / 1000)

function goodClaims(): Json {
  return {
    iss: RULES.issuer,
    aud: RULES.audience,
    sub: 'acct_1',
    client_id: 'client-1',
    jti: `jti-${randomBytes(8).toString('hex')}`,
    iat: now() - 1,
    exp: now() + 600,
    origin: SITE,
  }
}

/** A request for a verifier. Its headers are not normalised. */
export function requestWith(headers: Readonly<Record<string, string>>, url = '/'): RequestLike {
  return { method: 'GET', url, headers: { get: (name) => headers[name] ?? null } }
}

/** A request with this Bearer token from the origin that it is bound to. */
export function bearerOf(token: string, headers: Readonly<Record<string, string>> = {}): RequestLike {
  return requestWith({ authorization: `Bearer ${token}`, origin: SITE, ...headers })
}

/** `allowed`, or the code of the ClaimError. Any other error fails the test. */
export async function verdictOf(
  verifier: ReturnType<typeof createVerifier>,
  request: VerifiableRequest,
  from?: { readonly ip?: string },
): Promise<string> {
  try {
    await verifier.verify(request, from)
    return 'allowed'
  } catch (error) {
    expect(error).toBeInstanceOf(ClaimError)
    return (error as ClaimError).code
  }
}

/**
 * Creates a function that verifies a token with several verifiers that all have the mint's key: with and without a cache,
 * with a JWK Set and, for HS256, also with `secret`. Each verifies the token twice. It resolves to their verdict; if they
 * differ, to all verdicts joined by ` and `. The token is sent in the query, because a query can carry every character.
 */
export function createJudge(
  mint: Mint,
  rules: Partial<VerifierRules> = {},
): (token: string) => Promise<string> {
  const { jwk } = mint
  const keys =
    mint.alg === 'HS256' ? [{ jwks: { keys: [jwk] } }, { secret: jwk }] : [{ jwks: { keys: [jwk] } }]
  const verifiers = keys.flatMap((key) => [
    createVerifier({ ...RULES, ...rules, ...key, tokenSources: ['query'] }),
    createVerifier({ ...RULES, ...rules, ...key, tokenSources: ['query'], cache: false }),
  ])
  return async (token) => {
    const request = requestWith({ origin: SITE }, `/?token=${encodeURIComponent(token)}`)
    const verdicts = new Set<string>()
    for (const verifier of [...verifiers, ...verifiers]) verdicts.add(await verdictOf(verifier, request))
    return [...verdicts].join(' and ')
  }
}
