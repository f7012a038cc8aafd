// The package export "claimgate/hono": a verifier as Hono middleware, for Node, Workers, Deno and Bun.

import type { Context, MiddlewareHandler, Next } from 'hono'
import { checkFunction, checkNames } from '../../lib/options.ts'
import { callSafely } from '../options/callbacks.ts'
import { createTellFault, thrownBy } from '../options/faults.ts'
import type { Claims } from '../options/options.ts'
import { isWorkers } from '../runtime/platform.ts'
import { type Admission, admitRequest } from './admit.ts'
import { areCors, type CorsHeaders, combineHeader, isForeignCors, isPreflight } from './cors.ts'
import { keepHeaders, type ResponseLike } from './keep-headers.ts'
import { type CorsOptions, checkCors, corsNames, createGuard, type MiddlewareOptions } from './options.ts'
import { createScopeGate } from './require-scope.ts'

export type * from '../options/options.ts'
export type { AllowedOrigins, CorsOptions } from './options.ts'

/** The options of {@link claimCors}. Here `allowedOrigins` has no default, because no token names an origin. */
export type ClaimCorsOptions = CorsOptions & Required<Pick<CorsOptions, 'allowedOrigins'>>

/**
 * The variables that {@link claimAuth} sets on a context, for the type of the app:
 * `new Hono<{ Variables: ClaimVariables }>()`.
 */
export interface ClaimVariables {
  /** Verified claims of the request's token. */
  readonly claims: Claims
}

/** The options of {@link claimAuth}: those of a verifier, CORS (required unless `cors: false`), and `clientIp`. */
export type ClaimAuthOptions = MiddlewareOptions & {
  /**
   * The address of the socket's other end, to which `trustedProxies` applies. Default: that of the Node connection, and
   * `CF-Connecting-IP` on Workers. If the function fails, the address is unknown, and tokens that are bound to an address
   * are refused.
   */
  readonly clientIp?: (context: Context) => string | undefined | PromiseLike<string | undefined>
}

const ownNames = { clientIp: true } satisfies Record<
  Exclude<keyof ClaimAuthOptions, keyof MiddlewareOptions>,
  true
>

/**
 * Middleware that passes only requests with a valid token, and sets its claims as `c.var.claims`. It refuses other requests
 * with problem+json (RFC 9457), and `WWW-Authenticate` or `Retry-After`. Unless `cors` is false, it answers preflights with
 * 204 and sets CORS headers on every answer, also on those of handlers. The request's body is not read.
 *
 * @throws {TypeError} for wrong options, when it is created; the message names the option.
 * @example
 * const app = new Hono<{ Variables: ClaimVariables }>()
 * app.use('/api/*', claimAuth({
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://auth.example.com',
 * }))
 */
export function claimAuth(options: ClaimAuthOptions): MiddlewareHandler<{ Variables: ClaimVariables }> {
  const guard = createGuard(options, ownNames)
  const clientIp = checkFunction('clientIp', options.clientIp) ?? defaultPeer

  return async function claimAuth(context, next) {
    const request = context.req.raw
    const source = sourceOf(context)
    const asked = callSafely(
      () => clientIp(context),
      (thrown) => guard.verifier.tellFault(thrownBy('clientIp', thrown), source),
    )
    const peer = asked instanceof Promise ? await asked : asked
    const admitting = admitRequest(guard, request, peer ?? undefined, source)
    const admission = admitting instanceof Promise ? await admitting : admitting
    if (admission.kind === 'answer') return toResponse(admission)
    context.set('claims', admission.claims)
    await nextWithHeaders(context, next, admission.headers)
    return undefined
  }
}

/**
 * Middleware for routes without tokens: only the CORS of {@link claimAuth}. It answers preflights with 204, and lets pages
 * of the allowed origins read all other answers. It refuses no request: CORS protects users, not the API.
 *
 * @throws {TypeError} for wrong options, when it is created; the message names the option.
 * @example
 * const app = new Hono()
 * app.use('/public/*', claimCors({ allowedOrigins: ['https://www.example.com'] }))
 */
export function claimCors(options: ClaimCorsOptions): MiddlewareHandler {
  checkNames(options, corsNames)
  if (options.allowedOrigins === undefined) {
    throw new TypeError('allowedOrigins: must be given, a list of origins, "*" or a function')
  }
  const cors = checkCors(options, createTellFault(undefined))
  return async function claimCors(context, next) {
    const request = context.req.raw
    if (isPreflight(request)) {
      return new Response(null, { status: 204, headers: await cors.preflightHeaders(request, request) })
    }
    await nextWithHeaders(context, next, await cors.headersFor(request, request))
    return undefined
  }
}

/**
 * Middleware for a route that needs scopes, behind {@link claimAuth}. Each text is one scope, or several separated by
 * spaces; the token must have all of them, else the answer is 403 `insufficient_scope`. Without claimAuth the answer is
 * 500, and `console.error` says why.
 *
 * @throws {TypeError} without a scope, when it is created.
 * @example
 * const app = new Hono<{ Variables: ClaimVariables }>()
 * app.delete('/api/things/:id', requireScope('things:write'), (c) => c.body(null, 204))
 */
export function requireScope(
  ...scopes: readonly [string, ...string[]]
): MiddlewareHandler<{ Variables: ClaimVariables }> {
  const judge = createScopeGate(scopes)
  return async function requireScope(context, next) {
    const admission = judge(context.var.claims as Claims | undefined, sourceOf(context))
    if (admission.kind === 'answer') return toResponse(admission)
    await nextWithHeaders(context, next, admission.headers)
    return undefined
  }
}

const sources = new WeakMap<object, object>()

/**
 * The request as it arrived, to recognise it at the next check. Middlewares between them may replace `c.req.raw`, as Hono's
 * bodyLimit does.
 */
function sourceOf({ req }: Context): object {
  const known = sources.get(req)
  if (known !== undefined) return known
  sources.set(req, req.raw)
  return req.raw
}

function toResponse({ body, status, headers }: Extract<Admission, { kind: 'answer' }>): Response {
  return new Response(body, { status, headers })
}

/** Runs the handlers and sets `headers` on their answer: on Node's own response, which is cheaper, or on the `Response`. */
async function nextWithHeaders(context: Context, next: Next, headers: CorsHeaders): Promise<void> {
  const { outgoing } = (context.env ?? {}) as NodeEnv
  if (typeof outgoing?.writeHead === 'function') {
    keepHeaders(outgoing, headers)
    await next()
  } else {
    await next()
    putHeaders(context, headers)
  }
}

/** Sets headers on the answer, whether a handler or the error handler made it. */
function putHeaders(context: Context, headers: CorsHeaders): void {
  try {
    setHeaders(context.res.headers, headers)
  } catch {
    // The headers of a fetched response are immutable, so the answer becomes a copy of it.
    context.res = new Response(context.res.body, context.res)
    setHeaders(context.res.headers, headers)
  }
}

function setHeaders(target: Headers, headers: CorsHeaders): void {
  if (areCors(headers)) {
    // Only this middleware decides about CORS: a handler must not allow more.
    const foreign = [...target.keys()].filter((name) => isForeignCors(name, headers))
    for (const name of foreign) target.delete(name)
  }
  for (const name in headers) {
    const value = headers[name] as string
    target.set(name, combineHeader(name, value, target.get(name) ?? ''))
  }
}

/** The bindings that @hono/node-server gives to a request. */
interface NodeEnv {
  readonly outgoing?: ResponseLike
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } }
}

function defaultPeer(context: Context): string | undefined {
  if (isWorkers) return context.req.header('cf-connecting-ip')
  return (context.env as NodeEnv | undefined)?.incoming?.socket?.remoteAddress
}
