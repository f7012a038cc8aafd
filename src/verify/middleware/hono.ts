// The door "claimgate/hono": a gate as Hono middleware, on Node, Workers, Deno and Bun.

import type { Context, MiddlewareHandler, Next } from 'hono'
import { checkKnown } from '../check-options.ts'
import type { Claims } from '../options.ts'
import { isWorkers } from '../runtime/platform.ts'
import { addVary, type CorsHeaders, isCorsHeader, isPreflight } from './cors.ts'
import { type Allowed, checkAllowed, createGate, type GateOptions } from './gate.ts'
import { keepHeaders, type ResponseLike } from './keep-headers.ts'

export type * from '../options.ts'
export type { Allowed, AllowedOrigins } from './gate.ts'

/** What the middleware adds to a context. */
export interface ClaimVariables {
  /** Verified claims of the request's token. */
  readonly claims: Claims
}

/** Options of {@link claimAuth}. */
export type ClaimAuthOptions = GateOptions & {
  /** The socket's peer; by itself the Node connection, or `CF-Connecting-IP` on Workers. */
  readonly clientIp?: (context: Context) => string | undefined
}

/**
 * Lets requests with a right token through, with `c.var.claims`; answers all others. CORS included.
 *
 * @throws {TypeError} on options that make no sense, when it is made.
 * @example
 * const app = new Hono<{ Variables: ClaimVariables }>()
 * app.use('/api/*', claimAuth({
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://auth.example.com',
 *   jwksUri: 'https://auth.example.com/.well-known/jwks.json',
 *   allowedOrigins: ['https://www.example.com'],
 * }))
 */
export function claimAuth(options: ClaimAuthOptions): MiddlewareHandler<{ Variables: ClaimVariables }> {
  const gate = createGate(options, ['clientIp'])
  const { clientIp = defaultPeer } = options
  if (typeof clientIp !== 'function') throw new TypeError('clientIp: must be a function')

  return async function claimAuth(context, next) {
    const admitting = gate.admit(context.req.raw, askPeer(clientIp, context))
    const admission = admitting instanceof Promise ? await admitting : admitting
    if (admission.kind === 'answer') {
      return new Response(admission.body, { status: admission.status, headers: admission.headers })
    }
    context.set('claims', admission.claims)
    await nextWithHeaders(context, next, admission.headers)
    return undefined
  }
}

/**
 * CORS alone, as the gate has it: answers preflights, and lets allowed origins read every other answer.
 *
 * @example
 * const app = new Hono()
 * app.use('/public/*', claimCors({ allowedOrigins: ['https://www.example.com'] }))
 */
export function claimCors(options: Allowed): MiddlewareHandler {
  checkKnown(options, ['allowedOrigins', 'allowedHeaders'])
  const cors = checkAllowed(options)
  return async function claimCors(context, next) {
    const request = context.req.raw
    if (isPreflight(request)) {
      return new Response(null, { status: 204, headers: await cors.preflightHeaders(request) })
    }
    await nextWithHeaders(context, next, await cors.headersFor(request))
    return undefined
  }
}

/** Goes on, and sees to it that `headers` are on the answer: on Node's own, which is cheap, or on the `Response`. */
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

/** A function that fails knows no address: tokens that are bound to one are refused, others are not. */
function askPeer(clientIp: (context: Context) => string | undefined, context: Context): string | undefined {
  try {
    return clientIp(context)
  } catch {
    return undefined
  }
}

/** Puts headers on whatever answer there is, an error's too. `Vary` is added to, the others are ours alone. */
function putHeaders(context: Context, headers: CorsHeaders): void {
  try {
    setHeaders(context.res.headers, headers)
  } catch {
    // The answer of a fetch has headers that cannot be changed.
    context.res = new Response(context.res.body, context.res)
    setHeaders(context.res.headers, headers)
  }
}

function setHeaders(target: Headers, headers: CorsHeaders): void {
  if (headers.vary !== undefined) {
    // CORS is the gate's: what a handler opens beside it stays shut.
    const foreign = [...target.keys()].filter(isCorsHeader)
    for (const name of foreign) target.delete(name)
  }
  for (const name in headers) {
    const value = headers[name] as string
    target.set(name, name === 'vary' ? addVary(target.get(name) ?? '', value) : value)
  }
}

/** What @hono/node-server tells of a request. */
interface NodeEnv {
  readonly outgoing?: ResponseLike
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } }
}

function defaultPeer(context: Context): string | undefined {
  if (isWorkers) return context.req.header('cf-connecting-ip')
  return (context.env as NodeEnv | undefined)?.incoming?.socket?.remoteAddress
}
