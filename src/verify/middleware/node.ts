// The door "claimgate/node": a gate for Express, Connect, Fastify and bare node:http.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { after } from '../../lib/result.ts'
import type { RequestLike } from '../extract.ts'
import type { Claims } from '../options.ts'
import { type Admission, createGate, type GateOptions } from './gate.ts'
import { keepHeaders } from './keep-headers.ts'

export type * from '../options.ts'
export type { AllowedOrigins } from './gate.ts'

/** Options of {@link claimAuth}. */
export type ClaimAuthOptions = GateOptions

/** A request that was let through. */
export type AuthorizedRequest = IncomingMessage & { readonly claims: Claims }

/** Connect's middleware signature. */
export type NodeMiddleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void

/**
 * Calls `next()` only for requests with a right token, after setting `request.claims`; answers all others. CORS included.
 *
 * @throws {TypeError} on options that make no sense, when it is made.
 * @example
 * const auth = claimAuth({
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://auth.example.com',
 *   jwksUri: 'https://auth.example.com/.well-known/jwks.json',
 *   allowedOrigins: ['https://www.example.com'],
 * })
 * app.use('/api', auth) // Express
 * fastify.addHook('onRequest', (request, reply, next) => auth(request.raw, reply.raw, next))
 */
export function claimAuth(options: ClaimAuthOptions): NodeMiddleware {
  const gate = createGate(options)

  return function claimAuth(request, response, next) {
    const admitting = gate.admit(toRequestLike(request), request.socket.remoteAddress)
    after(admitting, (admission) => conclude(admission, request, response, next))
  }
}

function conclude(
  admission: Admission,
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): void {
  // While keys were fetched, a time limit of the API's own may have answered.
  if (response.headersSent) return
  keepHeaders(response, admission.headers)
  if (admission.kind === 'answer') {
    response.statusCode = admission.status
    response.end(admission.body ?? undefined)
    return
  }
  Object.assign(request, { claims: admission.claims })
  next()
}

/** A Node request as verification reads it. Repeated headers stay visible, joined by commas. */
function toRequestLike(request: IncomingMessage): RequestLike {
  const { originalUrl } = request as { originalUrl?: string }
  return {
    method: request.method ?? 'GET',
    url: originalUrl ?? request.url ?? '/',
    headers: { get: (name) => readHeader(request, name.toLowerCase()) },
  }
}

/** Node keeps only the first `Authorization`; the others must not go unseen. */
function readHeader(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name]
  if (value === undefined) return null
  if (name === 'authorization') {
    const all = request.rawHeaders.filter(
      (_, index, raw) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name,
    )
    if (all.length > 1) return all.join(', ')
  }
  return typeof value === 'string' ? value : value.join(', ')
}
