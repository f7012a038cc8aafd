// The package export "claimgate/fastify": a verifier as a Fastify plugin.

import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  onRequestHookHandler,
} from 'fastify'
import { after } from '../../lib/result.ts'
import type { Claims } from '../options/options.ts'
import { fromIncoming } from '../request/headers.ts'
import { type Admission, admitRequest } from './admit.ts'
import { keepHeaders } from './keep-headers.ts'
import { createGuard, type MiddlewareOptions } from './options.ts'
import { createScopeGate } from './require-scope.ts'

export type * from '../options/options.ts'
export type { AllowedOrigins } from './options.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Verified claims of the request's token, behind `claimAuth` of claimgate/fastify. */
    readonly claims: Claims
  }
}

/** The options of {@link claimAuth}: those of a verifier, and CORS. */
export type ClaimAuthOptions = MiddlewareOptions

/**
 * Plugin that passes only requests with a valid token to the routes of the context it is registered in, and sets
 * `request.claims`. It answers all other requests itself: 204 to preflights, and problem+json (RFC 9457) with
 * `WWW-Authenticate` to refusals. CORS headers are set on every answer. The request's body is not read.
 *
 * @throws {TypeError} for wrong options, when the server gets ready; the message names the option.
 * @example
 * fastify.register(async (api) => {
 *   api.register(claimAuth, { issuer: 'https://auth.example.com', audience: 'https://auth.example.com' })
 *   api.get('/me', async (request) => ({ account: request.claims.sub }))
 * }, { prefix: '/api' })
 */
export const claimAuth: FastifyPluginAsync<ClaimAuthOptions> = Object.assign(protect, {
  // Without this mark Fastify would give the plugin a context of its own, and protect nothing.
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'claimgate',
})

async function protect(
  fastify: FastifyInstance,
  { prefix: _prefix, ...options }: ClaimAuthOptions & { readonly prefix?: string },
): Promise<void> {
  const guard = createGuard(options as ClaimAuthOptions)
  if (!fastify.hasRequestDecorator('claims')) fastify.decorateRequest('claims', null as unknown as Claims)
  fastify.addHook('onRequest', (request, reply, next) => {
    const { raw } = request
    const asked = { method: request.method, url: request.originalUrl, headers: fromIncoming(raw).headers }
    after(admitRequest(guard, asked, raw.socket.remoteAddress, raw), (admission) =>
      answerOrPass(admission, request, reply, next),
    )
  })
  // Fastify runs the hooks of a context only for its routes, so preflights need one.
  const preflights = { method: 'OPTIONS', url: `${fastify.prefix}*` } as const
  if (guard.cors !== undefined && !fastify.hasRoute(preflights)) {
    fastify.options('*', (_request, reply) => reply.callNotFound())
  }
}

/**
 * Hook for a route that needs scopes, behind {@link claimAuth}. Each text is one scope, or several separated by spaces; the
 * token must have all of them, else the answer is 403 `insufficient_scope`. Without claimAuth the answer is 500, and
 * `console.error` says why.
 *
 * @throws {TypeError} without a scope, when it is created.
 * @example
 * fastify.delete('/things/:id', { onRequest: requireScope('things:write') }, async (_request, reply) => reply.code(204).send())
 */
export function requireScope(...scopes: readonly [string, ...string[]]): onRequestHookHandler {
  const judge = createScopeGate(scopes)
  return function requireScope(request, reply, next) {
    const { claims } = request as { readonly claims?: Claims | null }
    answerOrPass(judge(claims ?? undefined, request.raw), request, reply, next)
  }
}

function answerOrPass(
  admission: Admission,
  request: FastifyRequest,
  reply: FastifyReply,
  next: () => void,
): void {
  // A timeout may have answered while keys were fetched.
  if (reply.sent) return
  keepHeaders(reply.raw, admission.headers)
  if (admission.kind === 'answer') {
    void reply.code(admission.status).send(admission.body ?? undefined)
    return
  }
  Object.assign(request, { claims: admission.claims })
  next()
}
