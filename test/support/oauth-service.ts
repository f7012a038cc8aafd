// The service in this process, and clients that authenticate with private keys.

import { createHmac, randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { expect } from 'vitest'
import type { AuditEntry } from '../../src/claims/records/account.ts'
import { randomBase62 } from '../../src/lib/random.ts'
import { type MemoryService, startMemory } from './memory.ts'
import { asMain, asserting, type Headers, type Members, postForm, tokenForm } from './oauth-wire.ts'
import { type Json, sendToFetch, type WireAnswer, type WireRequest } from './wire.ts'
import { createWorld, type World } from './world.ts'

export interface OAuthService extends World {
  /** The log lines so far, from level debug. */
  readonly lines: readonly string[]
  readonly deps: MemoryService['deps']
  /** The id of the credential for each noted use, in order. */
  readonly uses: readonly string[]
}

/** Starts the service in this process with the accounts of `createWorld`. `replace` replaces parts of its dependencies. */
export async function startOAuth(
  env: Readonly<Record<string, string>> = {},
  replace: Partial<MemoryService['deps']> = {},
): Promise<OAuthService> {
  const uses: string[] = []
  const noted = { note: (id: string) => void uses.push(id), flush: async () => undefined }
  const service = await startMemory(env, { uses: noted, ...replace })
  // Requests go to the issuer's origin, as from a proxy that removes the path of the issuer.
  const { origin } = new URL(service.issuer)
  const send = (request: WireRequest) => sendToFetch((asked) => service.app.fetch(asked), origin, request)
  return { ...(await createWorld({ ...service, send })), deps: service.deps, lines: service.lines, uses }
}

/** Posts a form, as the main account unless `headers` say otherwise. */
export function post(
  world: World,
  path: string,
  members: Members,
  headers: Headers = asMain(world),
): Promise<WireAnswer> {
  return world.send(postForm(path, members, headers))
}

/** Sends a token request, as the main account unless `headers` say otherwise. */
export function ask(
  world: World,
  members: Members = {},
  headers: Headers = asMain(world),
): Promise<WireAnswer> {
  return world.send(tokenForm(members, headers))
}

/** Requests an access token for the main account and expects 200. Resolves to the JWT. */
export async function getToken(world: World, members: Members = {}): Promise<string> {
  const answer = await ask(world, members)
  expect(answer.status, answer.text).toBe(200)
  return answer.json().access_token
}

/** The newest 200 entries of the audit log, newest first. */
export function readAudit({ deps }: OAuthService): Promise<readonly AuditEntry[]> {
  return deps.storage.listAudit(undefined, 200)
}

export type AssertionAlg = 'ES256' | 'EdDSA' | 'Ed25519'

/** A client that holds a private key. */
export interface KeyClient {
  readonly clientId: string
  /** The public key as registered, with its kid. */
  readonly jwk: Json
  /** Claims of a valid assertion. */
  claims(): Record<string, unknown>
  /** A signed assertion, with these members added or replaced; undefined removes one. */
  sign(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>
}

export interface KeyClientOptions {
  readonly alg?: AssertionAlg
  /** The `kid` of the registered key; null: registered without one. */
  readonly kid?: string | null
  /** Public keys that are registered before the client's own key. */
  readonly others?: readonly Json[]
  /** Members of the credential record to replace. */
  readonly credential?: object
  /** Id of the account; by default the main account. */
  readonly account?: string
}

/** Creates a key pair, and a credential that has its public key instead of a secret. */
export async function createKeyClient(
  world: OAuthService,
  { alg = 'ES256', kid = 'k1', others = [], credential = {}, account }: KeyClientOptions = {},
): Promise<KeyClient> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const { alg: _, ...members } = await exportJWK(publicKey)
  const jwk = { ...members, ...(kid !== null && { kid }) }
  const clientId = randomBase62(11)
  const { storage } = world.deps
  const created = await storage.createCredential(
    {
      id: clientId,
      accountId: account ?? world.accountId,
      name: 'by key',
      scopes: null,
      browserPrototype: false,
      allowLocalhost: true,
      secretHash: null,
      previousHash: null,
      previousExpiresAt: null,
      jwks: JSON.stringify({ keys: [...others, jwk] }),
      expiresAt: null,
      revokedAt: null,
      createdAt: Date.now(),
      lastUsedAt: null,
      ...credential,
    },
    {
      id: randomBase62(16),
      at: Date.now(),
      actor: 'admin',
      action: 'credential.create',
      target: clientId,
      detail: null,
    },
  )
  expect(created).toBe(true)
  const claims = () => {
    const now = Math.floor(world.deps.now() / 1000)
    return { iss: clientId, sub: clientId, aud: world.issuer, jti: randomUUID(), iat: now, exp: now + 60 }
  }
  return {
    clientId,
    jwk,
    claims,
    sign: (change = {}, header = {}) =>
      new SignJWT({ ...claims(), ...change })
        .setProtectedHeader({ alg, ...(kid !== null && { kid }), ...header } as never)
        .sign(privateKey),
  }
}

/** Sends a token request that authenticates only by this assertion. */
export function askBy(world: World, assertion: string, more: Members = {}): Promise<WireAnswer> {
  return ask(world, asserting(assertion, more), {})
}

/** A compact JWS with this header and payload text, signed by HS256. */
export function hmacSigned(header: object, payload: string, secret: string | Uint8Array): string {
  const input = [JSON.stringify(header), payload]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.')
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}
