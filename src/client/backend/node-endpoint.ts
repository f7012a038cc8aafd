// A client-token endpoint for Express, Connect, Fastify and bare node:http. Knows nothing of Node but the shape of
// its requests and answers.

import type { ClaimClient } from './claim-types.ts'
import { createEndpoint, type Exchange } from './endpoint.ts'
import type { EndpointOptions } from './endpoint-types.ts'
import { type NodeBody, readNodeBody } from './node-body.ts'

/** What is used of an IncomingMessage. */
export interface NodeRequest extends NodeBody {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>> & {
    readonly cookie?: string | undefined
  }
  readonly socket: { readonly remoteAddress?: string | undefined }
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
 * `createClientTokenEndpoint` for Node's own requests. A body that a parser has read is taken from `request.body`; one
 * that is still unread is read here, whatever `request.body` holds. A body that was read and discarded is 500: it may
 * have asked for a key.
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
    readBody: () => readNodeBody(request),
  }
}
