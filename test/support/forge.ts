// A service whose private key the test owns, to compare its answers to forged tokens, valid tokens and garbage.

import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { openKeyRing } from '../../src/signing/key-ring.ts'
import { createFirstKeys } from '../../src/signing/make-keys.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { type Asking, startAsking } from './ask.ts'
import type { Json, WireAnswer } from './wire.ts'
import { claimToken, SITE } from './world.ts'

export interface Forging extends Asking {
  /** The service's private key, or its shared secret with HS256. */
  readonly key: KeyObject
  /** A valid token that the service has not verified yet. */
  readonly fresh: string
  /** A valid token that the service has verified once, so that it is in the cache. */
  readonly known: string
  /** Calls whoami from SITE with this text as the Bearer token. */
  present(text: string): Promise<WireAnswer>
  /** Calls whoami from SITE with this text as the parameter `token` of the query. */
  presentInQuery(text: string): Promise<WireAnswer>
  /** The answer to a text that is not a token. */
  readonly garbage: string
}

export async function startForging(alg: 'ES256' | 'EdDSA' | 'HS256'): Promise<Forging> {
  const stored = await createFirstKeys(alg, Date.now())
  const store = { list: async () => stored }
  const keyRing = await openKeyRing(store, { ...nodeCryptoEngine, loadVerifier }, alg, () => false)
  const asking = await startAsking({ CLAIMGATE_ALG: alg }, { keyRing })
  const jwk = stored.find((key) => key.kid === keyRing.kid)?.jwk ?? {}
  const whoami = (path: string, headers: Readonly<Record<string, string>>) =>
    asking.ask({ method: 'GET', path, headers: { origin: SITE, ...headers } })
  const present = (text: string) => whoami('/auth/whoami', { authorization: `Bearer ${text}` })
  const known = await claimToken(asking.world)
  if ((await present(known)).status !== 200) throw new Error('a good token was refused')
  return {
    ...asking,
    key:
      alg === 'HS256'
        ? createSecretKey(Buffer.from(jwk.k ?? '', 'base64url'))
        : createPrivateKey({ key: jwk, format: 'jwk' }),
    fresh: await claimToken(asking.world),
    known,
    present,
    presentInQuery: (text) => whoami(`/auth/whoami?token=${encodeURIComponent(text)}`, {}),
    garbage: bare(await present('garbage')),
  }
}

/** Status, headers and body of an answer as one text, without the request id, so that answers can be compared. */
export function bare(answer: WireAnswer): string {
  const id = answer.headers.get('x-request-id') ?? ''
  return `${answer.status} ${JSON.stringify([...answer.headers])} ${answer.text}`.replaceAll(id, '')
}

export function base64url(bytes: string | Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

export function partsOf(token: string): [header: string, payload: string, signature: string] {
  return token.split('.') as [string, string, string]
}

export function headerOf(token: string): Json {
  return JSON.parse(Buffer.from(partsOf(token)[0], 'base64url').toString())
}
