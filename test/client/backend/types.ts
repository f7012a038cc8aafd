// The types of claimgate/backend: valid calls compile, and invalid ones do not. Never run.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import {
  type ClaimAnswer,
  type ClaimClient,
  type ClaimClientOptions,
  ClaimRequestError,
  type ClientTokenEndpoint,
  type ClientTokenEndpointOptions,
  createClaimClient,
  createClientTokenEndpoint,
  createNodeClientTokenEndpoint,
  loadConfig,
  type TokenAnswer,
} from '../../../src/client/backend/index.ts'

const issuer = 'https://auth.example.com'

// A credential has one of two forms, and its values may be undefined.
const client: ClaimClient = createClaimClient({ issuer, token: process.env.TOKEN })
createClaimClient({ issuer, clientId: process.env.ID, clientSecret: 'text' })
createClaimClient({
  issuer,
  token: 'text',
  allowedOrigins: ['https://a.example'],
  baseUrl: 'https://b.example',
})
createClaimClient(loadConfig())
createClaimClient(loadConfig({ CLAIMGATE_ISSUER: issuer } satisfies object))
createClaimClient({ ...loadConfig(), issuer })
// @ts-expect-error: no credential
createClaimClient({ issuer })
// @ts-expect-error: no issuer
createClaimClient({ token: 'text' })
// @ts-expect-error: both forms
createClaimClient({ issuer, token: 'text', clientId: 'a', clientSecret: 'b' })
// @ts-expect-error: half a pair
createClaimClient({ issuer, clientId: 'a' })
// @ts-expect-error: no such option
createClaimClient({ issuer, token: 'text', secret: 'text' })
const config: ClaimClientOptions = loadConfig()

// Claims.
const claimed: ClaimAnswer = await client.claim({
  origin: issuer,
  ip: ['192.0.2.1'],
  expiresIn: 60,
  jkt: undefined,
})
const own: TokenAnswer = await client.token()
await client.token({ scope: 'read' })
// @ts-expect-error: no origin
await client.claim({ ip: '192.0.2.1' })
// @ts-expect-error: misspelt
await client.claim({ origin: issuer, expires_in: 60 })
// @ts-expect-error: a token for the backend itself is not bound
await client.token({ origin: issuer })

// Endpoints.
const all: ClientTokenEndpointOptions = {
  authenticate: async (request) => request.headers.get('cookie') !== null,
  allowedOrigins: ['https://a.example'],
  origin: issuer,
  allowGet: true,
  clientTokenUri: '/api/client-token',
  expiresIn: 60,
  scope: 'read',
  includeConfig: true,
  baseUrl: 'https://b.example',
  bindIp: true,
  trustedProxies: ['loopback'],
  onError: (error, { requestId }) => void [error.message, requestId?.length],
}
const endpoint: ClientTokenEndpoint = createClientTokenEndpoint(client, all)
createClientTokenEndpoint(client, { ...config, authenticate: 'public' })
declare const isSignedIn: (request: Request) => PromiseLike<boolean>
createClientTokenEndpoint(client, { ...config, authenticate: isSignedIn })
// @ts-expect-error: no authenticate
createClientTokenEndpoint(client, { baseUrl: 'https://b.example' })
// @ts-expect-error: another text than "public"
createClientTokenEndpoint(client, { authenticate: 'private' })
// @ts-expect-error: a result that is not a boolean
createClientTokenEndpoint(client, { authenticate: (request) => request.headers.get('cookie') })
// @ts-expect-error: "*" in place of a list
createClientTokenEndpoint(client, { authenticate: 'public', allowedOrigins: '*' })
// @ts-expect-error: no such option
createClientTokenEndpoint(client, { authenticate: 'public', bindIP: true })

// Frameworks.
new Hono().all('/', (c) => endpoint(c.req.raw))
const route: (request: Request, context: { params: Promise<object> }) => Promise<Response> = (request) =>
  endpoint(request)
const node = createNodeClientTokenEndpoint(client, { authenticate: (request) => 'cookie' in request.headers })
createServer(node)
express()
  .all('/', node)
  .post('/', createNodeClientTokenEndpoint(client, { authenticate: 'public' }))
express().all(
  '/',
  createNodeClientTokenEndpoint(client, { authenticate: (request: express.Request) => request.ip === '' }),
)
fastify().all('/', (request, reply) => node(request.raw, reply.raw))
const listener: (request: IncomingMessage, response: ServerResponse) => Promise<void> = node
// @ts-expect-error: Node's requests have no get
createNodeClientTokenEndpoint(client, { authenticate: (request) => request.headers.get('cookie') !== null })

// Errors.
const isWaiting = ({ code, status, retryAfter }: ClaimRequestError): boolean =>
  code === 'rate_limited' && status === 429 && (retryAfter ?? 0) > 0

const isOurs = (error: unknown): boolean => error instanceof ClaimRequestError

export const used = [claimed, own, route, listener, isWaiting, isOurs]
