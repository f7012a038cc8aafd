// The package export "claimgate/node": a verifier as middleware for Express, Connect, Fastify and node:http.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { after } from '../../lib/result.ts'
import type { RequestLike } from '../extract.ts'
import type { Claims } from '../options/options.ts'
import { createRequestVerifier } from '../request-verifier.ts'
import { type Admission, admitRequest, type Guard } from './admit.ts'
import { keepHeaders } from './keep-headers.ts'
import { checkMiddleware, type MiddlewareOptions } from './options.ts'

export type * from '../options/options.ts'
export type { AllowedOrigins } from './options.ts'

/** The options of {@link claimAuth}: those of a verifier, and CORS (required unless `cors: false`). */
export type ClaimAuthOptions = MiddlewareOptions

/** A request that {@link claimAuth} has passed to the next handler, with the verified claims of its token. */
export type AuthorizedRequest = IncomingMessage & { readonly claims: Claims }

/**
 * Middleware with the signature of Connect and Express. It never passes an error to `next`. Fastify's hooks have another
 * signature; the example of {@link claimAuth} adapts them.
 */
export type NodeMiddleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void

/**
 * Middleware that calls `next()` only for requests with a valid token, after setting `request.claims`. It refuses other
 * requests with problem+json (RFC 9457), and `WWW-Authenticate` or `Retry-After`. Unless `cors` is false, it answers
 * preflights with 204 and sets CORS headers on every answer, also on those of handlers. The request's body is not read.
 *
 * @throws {TypeError} for wrong options, when it is created; the message names the option.
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
  const checked = checkMiddleware(options)
  const guard: Guard = {
    verifier: createRequestVerifier(checked.verifier),
    cors: checked.cors,
    issuer: checked.verifier.policy.issuer,
  }

  return function claimAuth(request, response, next) {
    const admitting = admitRequest(guard, toRequestLike(request), request.socket.remoteAddress)
    after(admitting, (admission) => answerOrPass(admission, request, response, next))
  }
}

function answerOrPass(
  admission: Admission,
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): void {
  // While keys were fetched, the API may have answered already, for example because of a timeout.
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

/**
 * A Node request in the shape that the verifier reads. In a mounted router of Express, only `originalUrl` has the whole
 * path.
 */
function toRequestLike(request: IncomingMessage): RequestLike {
  const { originalUrl } = request as { originalUrl?: string }
  return {
    method: request.method ?? 'GET',
    url: originalUrl ?? request.url ?? '/',
    headers: { get: (name) => readHeader(request, name.toLowerCase()) },
  }
}

/** Repeated headers joined by commas. Node's `headers` drops all but the first `Authorization`, so `rawHeaders` is read. */
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
