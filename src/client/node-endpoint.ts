// A client-token endpoint for Express, Connect, Fastify and bare node:http. Knows nothing of Node but the shape of
// its requests and answers.

import type { ClaimClient } from './claim-types.ts'
import { createEndpoint, type Exchange } from './endpoint.ts'
import { BROKEN_BODY, MAX_BODY_BYTES, type RequestBody } from './endpoint-body.ts'
import type { EndpointOptions } from './endpoint-types.ts'
import { joinBytes } from './read-bytes.ts'

/** What is used of an IncomingMessage. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>> & {
    readonly cookie?: string | undefined
  }
  readonly socket: { readonly remoteAddress?: string | undefined }
  /** Whether something of its body was read. */
  readonly readableDidRead: boolean
  readonly readableEnded: boolean
  readonly destroyed: boolean
  on(event: string, listener: (chunk: Uint8Array) => void): unknown
}

/** What is used of a ServerResponse. */
export interface NodeResponse {
  readonly headersSent: boolean
  statusCode: number
  setHeader(name: string, value: string): unknown
  appendHeader(name: string, value: string): unknown
  end(body?: string): unknown
}

/** Options of {@link createNodeClientTokenEndpoint}; `authenticate` gets the server's own request, session and all. */
export type NodeClientTokenEndpointOptions<R extends NodeRequest = NodeRequest> = EndpointOptions<R>

/** Answers a page's request. Never rejects, and calls nothing that comes after it. */
export type NodeClientTokenEndpoint<R extends NodeRequest = NodeRequest> = (
  request: R,
  response: NodeResponse,
) => Promise<void>

/**
 * `createClientTokenEndpoint` for Node's own requests. A body that was parsed before is taken from `request.body`.
 *
 * @throws {TypeError} on options that make no sense, when it is made.
 * @example
 * const client = createClaimClient(loadConfig())
 * const endpoint = createNodeClientTokenEndpoint(client, {
 *   clientTokenUri: '/api/client-token',
 *   baseUrl: 'https://api.example.com',
 *   allowedOrigins: ['https://www.example.com'],
 *   authenticate: (request) => isSignedIn(request.headers.cookie),
 * })
 * app.all('/api/client-token', endpoint) // Express
 * fastify.all('/api/client-token', (request, reply) => {
 *   reply.hijack()
 *   return endpoint(Object.assign(request.raw, { body: request.body }), reply.raw)
 * })
 * const server = createServer(endpoint) // node:http
 */
export function createNodeClientTokenEndpoint<R extends NodeRequest = NodeRequest>(
  client: ClaimClient,
  options: NodeClientTokenEndpointOptions<R>,
): NodeClientTokenEndpoint<R> {
  const endpoint = createEndpoint(client, options)

  return async function clientTokenEndpoint(request, response) {
    const { status, headers, body } = await endpoint(toExchange(request))
    // While the issuer was asked, a time limit of the server's own may have answered.
    if (response.headersSent) return
    response.statusCode = status
    const { vary = '', ...others } = headers
    response.appendHeader('vary', vary)
    for (const name in others) response.setHeader(name, others[name] as string)
    response.end(body ?? undefined)
  }
}

function toExchange<R extends NodeRequest>(request: R): Exchange<R> {
  // Express takes the prefix of a router off `url`.
  const { originalUrl } = request as { readonly originalUrl?: string }
  const url = originalUrl ?? request.url ?? '/'
  return {
    request,
    method: request.method ?? 'GET',
    path: URL.parse(url, 'http://localhost')?.pathname ?? '/',
    peer: request.socket.remoteAddress,
    header: (name) => {
      const value = request.headers[name]
      return value === undefined ? null : String(value)
    },
    readBody: () => readBody(request),
  }
}

async function readBody(request: NodeRequest): Promise<RequestBody> {
  const { body } = request as { readonly body?: unknown }
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
    return bytes.length > MAX_BODY_BYTES ? undefined : bytes
  }
  if (body !== undefined && body !== null) return { parsed: body }
  // JSON's null, parsed before.
  if (body === null && request.readableDidRead && hasBody(request)) return { parsed: null }
  // Whoever read it knows of a key that we do not: a token without it would be one for everybody.
  if (request.readableDidRead && hasBody(request)) {
    throw new Error('the body was read before; put what was in it into request.body')
  }
  // No event comes any more: it was empty, or its client is gone.
  if (request.readableEnded) return new Uint8Array()
  return request.destroyed ? BROKEN_BODY : readStream(request)
}

function hasBody({ headers }: NodeRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Listens rather than iterates: giving up an iteration would close the connection that the answer needs. */
function readStream(request: NodeRequest): Promise<RequestBody> {
  const chunks: Uint8Array[] = []
  let total = 0
  return new Promise((resolve) => {
    request.on('data', (chunk) => {
      total += chunk.length
      if (total <= MAX_BODY_BYTES) chunks.push(chunk)
      else resolve(undefined) // What still comes is thrown away.
    })
    request.on('end', () => resolve(joinBytes(chunks)))
    request.on('error', () => resolve(BROKEN_BODY))
    request.on('close', () => resolve(BROKEN_BODY))
  })
}
