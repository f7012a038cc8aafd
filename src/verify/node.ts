// The door "claimgate/node": a gate for Express, Connect, Fastify and bare node:http.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CorsHeaders } from './cors.ts'
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
    if (admitting instanceof Promise) {
      admitting.then(
        (admission) => conclude(admission, request, response, next),
        () => response.destroy(),
      )
    } else conclude(admitting, request, response, next)
  }
}

function conclude(
  admission: Admission,
  request: IncomingMessage,
  response: ServerResponse,
  next: () => void,
): void {
  if (admission.kind === 'answer') {
    response.writeHead(admission.status, admission.headers)
    response.end(admission.body ?? undefined)
    return
  }
  Object.assign(request, { claims: admission.claims })
  keepHeaders(response, admission.headers)
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
    const given = rest.at(-1)
    for (const [name, value] of headerEntries(given)) this.setHeader(name, value)
    for (const name in headers) {
      if (name === 'vary') this.setHeader(name, addVary(this.getHeader(name), headers[name] as string))
      else this.setHeader(name, headers[name] as string)
    }
    const reason = typeof rest[0] === 'string' ? [rest[0]] : []
    return Reflect.apply(writeHead, this, [status, ...reason]) as ServerResponse
  } as ServerResponse['writeHead']
}

/** Headers as writeHead takes them: an object, or a flat list of names and values. */
function headerEntries(given: unknown): readonly (readonly [string, string | readonly string[]])[] {
  if (Array.isArray(given)) {
    return given.flatMap((name, index) =>
      index % 2 === 0 ? [[String(name), given[index + 1]] as const] : [],
    )
  }
  if (typeof given !== 'object' || given === null) return []
  return Object.entries(given).filter(([, value]) => value !== undefined)
}

function addVary(known: number | string | string[] | undefined, name: string): string {
  const list =
    known === undefined
      ? []
      : [known]
          .flat()
          .join(', ')
          .split(/\s*,\s*/)
  return list.some((one) => one === '*' || one.toLowerCase() === name.toLowerCase())
    ? list.join(', ')
    : [...list, name].join(', ')
}

/** A Node request as verification reads it. Repeated headers stay visible, joined by commas. */
function toRequestLike(request: IncomingMessage): RequestLike {
  const { originalUrl } = request as { originalUrl?: string }
  return {
    method: request.method ?? 'GET',
    url: originalUrl ?? request.url ?? '/',
    headers: { get: (name) => readHeader(request, name) },
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
