// An issuer for tests: keys and revocation lists signed with jose, from a real loopback server that can also hang, break
// off or send garbage.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CryptoKey, exportJWK, generateKeyPair, generateSecret, type JWK, SignJWT } from 'jose'
import { afterAll, afterEach, vi } from 'vitest'
import { now, RULES, SITE } from './mint.ts'
import type { Json } from './wire.ts'

/** Writes the answer to a request. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

export interface Issuer {
  readonly url: string
  readonly jwksUri: string
  readonly feedUrl: string
  /** The answers by path. Every other path gets 404. */
  readonly answers: Map<string, Answer>
  /** The headers of each request to this path so far. */
  askedFor(path: string): readonly IncomingHttpHeaders[]
  stop(): Promise<void>
}

export const JWKS = '/jwks.json'
export const FEED = '/revocations'

const running = new Set<Issuer>()

/**
 * Restores the real clock after each test, and stops the issuers after the last test of the file. They are not stopped
 * earlier, because concurrent tests may still use them.
 */
export function cleanUp(): void {
  afterEach(() => {
    vi.useRealTimers()
  })
  afterAll(async () => {
    await Promise.all([...running].map((issuer) => issuer.stop()))
  })
}

export async function startIssuer(keys: readonly Json[]): Promise<Issuer> {
  const answers = new Map<string, Answer>([[JWKS, json({ keys })]])
  const asked = new Map<string, IncomingHttpHeaders[]>()
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.set(path, [...(asked.get(path) ?? []), request.headers])
    const answer = answers.get(path) ?? status(404)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer: Issuer = {
    url,
    jwksUri: url + JWKS,
    feedUrl: url + FEED,
    answers,
    askedFor: (path) => asked.get(path) ?? [],
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  running.add(issuer)
  return issuer
}

/** A port of this machine on which no server listens. */
export async function findClosedPort(): Promise<number> {
  const issuer = await startIssuer([])
  await issuer.stop()
  return Number(new URL(issuer.url).port)
}

export const body =
  (text: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Answer =>
  (_, response) =>
    response.writeHead(200, headers).end(text)

export const json = (value: Json): Answer => body(JSON.stringify(value))

export const status =
  (code: number, headers: Readonly<Record<string, string>> = {}, text = ''): Answer =>
  (_, response) =>
    response.writeHead(code, headers).end(text)

/** Accepts the request and never answers. */
export const hang: Answer = () => undefined

/** Starts an answer with `text` and never ends it. */
export const stall =
  (text: string): Answer =>
  (_, response) =>
    response.writeHead(200).write(text)

/** Announces one byte more than `text`, sends `text` and closes the connection. */
export const breakOff =
  (text: string): Answer =>
  (_, response) => {
    response
      .writeHead(200, { 'content-length': String(text.length + 1) })
      .write(text, () => response.destroy())
  }

export const late =
  (ms: number, answer: Answer): Answer =>
  async (request, response) => {
    await sleep(ms)
    answer(request, response)
  }

let seq = 0

/** A sequence number above those of all earlier lists. */
const nextSeq = (): number => {
  seq += 1
  return seq
}

export interface Signer {
  readonly kid: string
  /** The public key, or the shared secret with HS256. */
  readonly jwk: JWK & { readonly kty: string }
  readonly privateJwk: JWK
  token(claims?: Json, header?: Json): Promise<string>
  list(revoked: Json, members?: Json, header?: Json): Promise<string>
}

export async function createSigner(
  alg: 'ES256' | 'EdDSA' | 'HS256',
  kid = `${alg}-1`,
  secret?: Uint8Array,
): Promise<Signer> {
  const { signingKey, verifyingKey } = secret
    ? { signingKey: secret, verifyingKey: secret }
    : await createKeys(alg)
  const sign = (claims: Json, header: Json): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg, kid, ...header }).sign(signingKey)
  return {
    kid,
    jwk: { ...(await exportJWK(verifyingKey)), kty: { ES256: 'EC', EdDSA: 'OKP', HS256: 'oct' }[alg], kid },
    privateJwk: { ...(await exportJWK(signingKey)), kid },
    token: (claims = {}, header = {}) => sign({ ...goodClaims(), ...claims }, { typ: 'at+jwt', ...header }),
    list: (revoked, members = {}, header = {}) =>
      sign(
        { iss: RULES.issuer, iat: now(), exp: now() + 1800, seq: nextSeq(), revoked, ...members },
        { typ: 'revocations+jwt', ...header },
      ),
  }
}

async function createKeys(
  alg: 'ES256' | 'EdDSA' | 'HS256',
): Promise<{ signingKey: CryptoKey | Uint8Array; verifyingKey: CryptoKey | Uint8Array }> {
  if (alg === 'HS256') {
    const secret = await generateSecret(alg, { extractable: true })
    return { signingKey: secret, verifyingKey: secret }
  }
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { signingKey: privateKey, verifyingKey: publicKey }
}

function goodClaims(): Json {
  return {
    iss: RULES.issuer,
    aud: RULES.audience,
    sub: 'acct_1',
    client_id: 'client-1',
    jti: 'jti-1',
    iat: now() - 10,
    exp: now() + 600,
    origin: SITE,
  }
}

/** Stops the clock but not timers. `advance` moves it by seconds. */
export function stopClock(): { advance(seconds: number): void } {
  vi.useFakeTimers({ toFake: ['Date'] })
  return { advance: (seconds) => void vi.setSystemTime(Date.now() + seconds * 1000) }
}

/** Awaits the work; resolves to its value and its duration in milliseconds of the real clock. */
export async function timed<T>(work: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const start = performance.now()
  const value = await work
  return { value, ms: performance.now() - start }
}
