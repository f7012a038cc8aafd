// Calls that the public types must accept or reject. This file is compiled and never run: `npm run typecheck` compiles it
// against the sources, and test/doors against the packed declarations.

import type { IncomingMessage, ServerResponse } from 'node:http'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { ClaimError, type ClaimErrorCode, claimErrorCodes } from '../../src/errors.ts'
import { claimCors, claimAuth as honoAuth } from '../../src/verify/middleware/hono.ts'
import { type AuthorizedRequest, claimAuth as nodeAuth } from '../../src/verify/middleware/node.ts'
import {
  type Claims,
  createVerifier,
  type Decision,
  type RequestLike,
  type VerifierOptions,
  ClaimError as VerifyError,
} from '../../src/verify/verifier.ts'

const who = { issuer: 'https://auth.example.com', audience: 'https://api.example.com' }
const jwksUri = 'https://auth.example.com/.well-known/jwks.json'
const base = { ...who, jwksUri }
const cors = { allowedOrigins: ['https://www.example.com'] }

// Keys: at most one source; without one those of the issuer.
createVerifier({ ...who, jwksUri })
createVerifier({ ...who, jwks: { keys: [{ kty: 'EC', crv: 'P-256', kid: 'a', x: '', y: '' }] } })
createVerifier({ ...who, secret: 'text' })
createVerifier({ ...who, secret: new Uint8Array(32) })
createVerifier({ ...who, secret: { kty: 'oct', kid: 'a', k: '' } })
createVerifier(who)
// @ts-expect-error: two sources
createVerifier({ ...who, jwksUri, secret: 'text' })
// @ts-expect-error: two sources
createVerifier({ ...who, jwks: { keys: [] }, jwksUri })
// @ts-expect-error: no issuer
createVerifier({ audience: 'a', jwksUri })
// @ts-expect-error: no audience
createVerifier({ issuer: 'a', jwksUri })

// A valid value for every option.
const all: VerifierOptions = {
  ...base,
  audience: ['a', 'b'],
  clockTolerance: 5,
  missingOrigin: 'allow',
  apiOrigin: 'https://api.example.com',
  require: ['origin', 'ip', 'key'],
  mode: 'report',
  trustedProxies: ['loopback', '10.0.0.0/8'],
  forwardedHeader: 'forwarded',
  tokenSources: ['authorization', 'x-client-token', 'query', 'websocket'],
  scope: ['read', 'write'],
  authorize: async (claims, request) => claims.sub !== '' && request.headers.get('x-a') === null,
  revocation: (claims) => claims.jti === '',
  replay: { seen: async (key, expiresAt) => key === String(expiresAt) },
  cache: { max: 1 },
  onDecision: ({ outcome, code, step, claims }) => void [outcome, code, step, claims?.sub],
}
// Functions may return any thenable.
declare const later: PromiseLike<boolean>
createVerifier({ ...all, authorize: () => later, revocation: () => later, replay: { seen: () => later } })
createVerifier({ ...all, trustedProxies: 1, scope: 'read write', cache: false, revocation: { url: jwksUri } })
createVerifier({ ...all, trustedProxies: 'loopback', revocation: { url: jwksUri, onStale: 'refuse' } })
createVerifier({
  ...all,
  revocation: { url: jwksUri, refreshSeconds: 1, maxStaleSeconds: 5, onStale: 'accept' },
})

// An invalid value for every option.
// @ts-expect-error
createVerifier({ ...base, clockTolerance: '5' })
// @ts-expect-error
createVerifier({ ...base, missingOrigin: 'ignore' })
// @ts-expect-error
createVerifier({ ...base, apiOrigin: new URL('https://api.example.com') })
// @ts-expect-error
createVerifier({ ...base, require: 'key' })
// @ts-expect-error
createVerifier({ ...base, require: ['address'] })
// @ts-expect-error
createVerifier({ ...base, mode: 'off' })
// @ts-expect-error
createVerifier({ ...base, trustedProxies: true })
// @ts-expect-error
createVerifier({ ...base, forwardedHeader: 'x-real-ip' })
// @ts-expect-error
createVerifier({ ...base, tokenSources: ['cookie'] })
// @ts-expect-error
createVerifier({ ...base, scope: [1] })
// @ts-expect-error
createVerifier({ ...base, authorize: () => 'yes' })
// @ts-expect-error
createVerifier({ ...base, revocation: { refreshSeconds: 2 } })
// @ts-expect-error
createVerifier({ ...base, revocation: { url: jwksUri, onStale: 'ignore' } })
// @ts-expect-error
createVerifier({ ...base, replay: { seen: () => true } })
// @ts-expect-error
createVerifier({ ...base, cache: true })
// @ts-expect-error
createVerifier({ ...base, onDecision: 'log' })
// @ts-expect-error: an unknown option
createVerifier({ ...base, tolerance: 5 })
// @ts-expect-error: an option of middlewares
createVerifier({ ...base, allowedOrigins: '*' })

// Middlewares allow all origins, or those of a list or function, or leave CORS to something else.
for (const make of [honoAuth, nodeAuth] as const) {
  make({ ...base, ...cors })
  make({ ...base, allowedOrigins: '*', allowedHeaders: ['X-Extra'], cors: true })
  make({ ...base, allowedOrigins: (origin) => origin.endsWith('.example') })
  make({ ...base, allowedOrigins: async () => true })
  make({ ...base, allowedOrigins: () => later })
  make({ ...base, cors: false })
  make(base)
  make({ verifier: createVerifier(base), ...cors })
  // @ts-expect-error: options of a verifier beside a shared one
  make({ verifier: createVerifier(base), clockTolerance: 1 })
  // @ts-expect-error: a text other than *
  make({ ...base, allowedOrigins: 'https://www.example.com' })
  // @ts-expect-error: origins without CORS
  make({ ...base, ...cors, cors: false })
  // @ts-expect-error
  make({ ...base, allowedOrigins: () => 'yes' })
  // @ts-expect-error
  make({ ...base, ...cors, allowedHeaders: 'X-Extra' })
}
claimCors({ allowedOrigins: '*' })
// @ts-expect-error: claimCors needs allowedOrigins
claimCors({})
// @ts-expect-error: claimCors has no option cors
claimCors({ ...cors, cors: false })

// Hono: c.var.claims is typed.
const app = new Hono()
app.use('/a', claimCors({ ...cors, allowedHeaders: ['X-Extra'] }))
app.get('/b', honoAuth({ ...base, ...cors, clientIp: (c) => c.req.header('x-ip') }), (c) => {
  const { claims } = c.var
  const scope: string | undefined = claims.scope
  const address: string | readonly string[] | undefined = claims.ip
  // @ts-expect-error: read only
  claims.sub = 'somebody else'
  // @ts-expect-error: no such claim
  claims.email
  // @ts-expect-error: may be undefined
  claims.cnf.jkt
  return c.json({ sub: claims.sub, until: new Date(claims.exp * 1000), scope, address })
})
honoAuth({ ...base, ...cors, clientIp: async () => undefined })
// @ts-expect-error: claimgate/node has no option clientIp
nodeAuth({ ...base, ...cors, clientIp: () => '127.0.0.1' })
// @ts-expect-error
honoAuth({ ...base, ...cors, clientIp: '127.0.0.1' })

// Express, Fastify and node:http accept the same middleware.
const auth = nodeAuth({ ...base, ...cors })
express().use('/api', auth)
express().get('/api', auth, (request, response) => {
  const { claims } = request as typeof request & AuthorizedRequest
  response.json({ sub: claims.sub })
})
fastify().addHook('onRequest', (request, reply, next) => auth(request.raw, reply.raw, next))
export const listener = (request: IncomingMessage, response: ServerResponse): void =>
  auth(request, response, () => response.end((request as AuthorizedRequest).claims.sub))

// createVerifier alone.
export async function verify(request: Request): Promise<Claims> {
  const verifier = createVerifier(all)
  const like: RequestLike = { method: 'GET', url: '/', headers: new Headers() }
  await verifier.verify(like, { ip: undefined })
  await verifier.verify(request, { ip: '127.0.0.1' })
  // @ts-expect-error: the address must be in an object
  await verifier.verify(request, '127.0.0.1')
  await verifier.verify({ method: 'GET', url: '/', headers: { authorization: '' } })
  // @ts-expect-error: no headers
  await verifier.verify({ method: 'GET', url: '/' })
  const claims = await verifier.verify(request)
  // @ts-expect-error: read only
  claims.exp = 0
  // @ts-expect-error: read only
  claims.aud[0] = 'another'
  verifier.close()
  return claims
}

// Errors.
export function explain(error: unknown): string {
  if (!(error instanceof ClaimError)) return 'another'
  const code: ClaimErrorCode = error.code
  const known: readonly ClaimErrorCode[] = claimErrorCodes
  const challenge: string | undefined = error.challenge
  // @ts-expect-error: read only
  error.status = 200
  // @ts-expect-error: no such code
  if (code === 'forbidden') return ''
  return `${error.status} ${known.includes(code)} ${challenge}`
}
export const same: typeof ClaimError = VerifyError
export const decision: Decision = {
  outcome: 'deny',
  code: 'invalid_token',
  step: 'signature',
  requestId: 'an id',
}
// @ts-expect-error
export const noDecision: Decision = { outcome: 'refuse' }
