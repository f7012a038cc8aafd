// The door "claimgate/node": a gate for Express, Connect, Fastify and bare node:http.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { after } from '../claims/result.ts'
import { addVary, type CorsHeaders } from './cors.ts'
import type { RequestLike } from './extract.ts'
import { type Admission, createGate, type GateOptions } from './gate.ts'
import type { Claims } from './options.ts'

export type { AllowedOrigins } from './gate.ts'
export type * from './options.ts'

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

/**
 * Sees to it that our headers are on the answer when it goes out, whatever the handler, or the framework's handler
 * of errors, does to headers before.
 */
function keepHeaders(response: ServerResponse, headers: CorsHeaders): void {
  const { writeHead } = response
  response.writeHead = function writeHeadWithCors(
    this: ServerResponse,
    status: number,
    ...rest: readonly unknown[]
  ): ServerResponse {
    setHeaders(this, rest.at(-1))
    for (const name in headers) {
      const value = headers[name] as string
      this.setHeader(name, name === 'vary' ? addVary(String(this.getHeader(name) ?? ''), value) : value)
    }
    const reason = typeof rest[0] === 'string' ? [rest[0]] : []
    return Reflect.apply(writeHead, this, [status, ...reason]) as ServerResponse
  } as ServerResponse['writeHead']
}

/** Sets headers as writeHead takes them: an object, or a flat list of names and values in which names may repeat. */
function setHeaders(response: ServerResponse, given: unknown): void {
  if (Array.isArray(given)) {
    const pairs = given.flatMap((name, at) => (at % 2 === 0 ? [[name, given[at + 1]] as const] : []))
    for (const [name] of pairs) response.removeHeader(name)
    for (const [name, value] of pairs) response.appendHeader(name, value)
  } else if (typeof given === 'object' && given !== null) {
    for (const [name, value] of Object.entries(given)) response.setHeader(name, value)
  }
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
    return all.join(', ')
  }
  return typeof value === 'string' ? value : value.join(', ')
}
