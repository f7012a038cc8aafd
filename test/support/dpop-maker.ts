// Makes DPoP proofs with a key of the test: valid ones, and valid ones with some members changed.

import { createHash } from 'node:crypto'
import { calculateJwkThumbprint } from 'jose'
import type { ExpectedProof } from '../../src/verify/dpop/verify-proof.ts'
import { createMint, type Mint } from './mint.ts'
import type { Json } from './wire.ts'

export const HTU = 'https://api.example.com/things'
export const TOKEN = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU'
export const NOW = 1_800_000_000.25

export interface Maker {
  readonly mint: Mint
  /** The public key, as it stands in the header of proofs. */
  readonly jwk: Json
  readonly jkt: string
  /** JSON text of a valid header, with these members changed; undefined removes a member. */
  header(members?: Json): string
  /** JSON text of valid claims, with these members changed; undefined removes a member. */
  payload(members?: Json): string
  /** A valid proof, with these members changed. */
  proof(claims?: Json, header?: Json): string
  /** The request that {@link proof} is valid for. */
  readonly expected: ExpectedProof
}

export async function createMaker(alg: 'ES256' | 'EdDSA'): Promise<Maker> {
  const mint = createMint(alg)
  const { kid: _, ...jwk } = mint.jwk
  const jkt = await calculateJwkThumbprint(jwk)
  const header = (members: Json = {}): string => JSON.stringify({ typ: 'dpop+jwt', alg, jwk, ...members })
  const payload = (members: Json = {}): string => JSON.stringify({ ...goodClaims(), ...members })
  return {
    mint,
    jwk,
    jkt,
    header,
    payload,
    proof: (claims, members) => mint.compact(header(members), payload(claims)),
    expected: { method: 'GET', htu: HTU, accessToken: TOKEN, jkt, now: NOW },
  }
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

function goodClaims(): Json {
  return { jti: crypto.randomUUID(), htm: 'GET', htu: HTU, iat: Math.floor(NOW), ath: hashToken(TOKEN) }
}
