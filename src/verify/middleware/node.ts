// The package export "claimgate/node": a verifier as middleware for Express, Connect, Fastify and node:http.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { after } from '../../lib/result.ts'
import type { Claims } from '../options/options.ts'
import { fromIncoming } from '../request/headers.ts'
import { type Admission, admitRequest } from './admit.ts'
import { keepHeaders } from './keep-headers.ts'
import { createGuard, type MiddlewareOptions } from './options.ts'
import { createScopeGate } from './require-scope.ts'

export type * from '../options/options.ts'
export type { AllowedOrigins } from './options.ts'

/** The options of {@link claimAuth}: those of a verifier, and CORS (required unless `cors: false`). */
export type ClaimAuthOptions = MiddlewareOptions

declare module 'node:http' {
  interface IncomingMessage {
    /** Verified claims of the request's token, behind `claimAuth` of claimgate/node. */
    readonly claims?: Claims
  }
}

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
 * })
 * app.use('/api', auth) // Express
 * fastify.addHook('onRequest', (request, reply, next) => auth(request.raw, reply.raw, next))
 */
export function claimAuth(options: ClaimAuthOptions): NodeMiddleware {
  const guard = createGuard(options)

  return function claimAuth(request, response, next) {
    const admitting = admitRequest(guard, fromIncoming(request), request.socket.remoteAddress, request)
    after(admitting, (admission) => answerOrPass(admission, request, response, next))
  }
}

/**
 * The verified claims of a request that {@link claimAuth} has passed.
 *
 * @throws {Error} when there are none, because claimAuth does not stand before this handler.
 * @example
 * app.get('/api/me', (request, response) => void response.json({ account: claimsOf(request).sub }))
 */
export function claimsOf(request: IncomingMessage): Claims {
  if (request.claims === undefined) {
    throw new Error('the request has no claims: put claimAuth before this handler')
  }
  return request.claims
}

/**
 * Middleware for a route that needs scopes, behind {@link claimAuth}. Each text is one scope, or several separated by
 * spaces; the token must have all of them, else the answer is 403 `insufficient_scope`. Without claimAuth the answer is
 * 500, and `console.error` says why.
 *
 * @throws {TypeError} without a scope, when it is created.
 * @example
 * app.delete('/api/things/:id', requireScope('things:write'), (request, response) => void response.sendStatus(204))
 */
export function requireScope(...scopes: readonly [string, ...string[]]): NodeMiddleware {
  const judge = createScopeGate(scopes)
  return function requireScope(request, response, next) {
    answerOrPass(judge(request.claims, request), request, response, next)
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
