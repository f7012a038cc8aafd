// A client-token endpoint for Express, Connect, Fastify and bare node:http. Knows nothing of Node but the shape of
// its requests and answers.

import { joinBytes } from '../../lib/read-bytes.ts'
import { createEndpoint, type Exchange } from './endpoint.ts'
import { BROKEN_BODY, MAX_BODY_BYTES, type RequestBody } from './endpoint-body.ts'
import type { ClaimClient, EndpointOptions } from './types.ts'

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

/** What is used of an IncomingMessage to read its body. */
export interface NodeBody {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Whether something of its body was read. */
  readonly readableDidRead: boolean
  readonly readableEnded: boolean
  readonly destroyed: boolean
  on(event: string, listener: (chunk: Uint8Array | string) => void): unknown
}

/** Length of `{}`. No shorter body holds anything. */
const EMPTY_OBJECT_LENGTH = 2

/** The body of a request. Rejects when it was read before and its content is lost. */
export async function readNodeBody(request: NodeBody): Promise<RequestBody> {
  const { readableDidRead, readableEnded, destroyed } = request
  // Not a Node stream (a serverless platform, say): `body` must hold the content.
  if (typeof readableDidRead !== 'boolean') return readParsed(request, false)
  if (readableDidRead) return destroyed && !readableEnded ? BROKEN_BODY : readParsed(request, true)
  if (readableEnded) return readParsed(request, false)
  if (destroyed) return BROKEN_BODY
  const read = await readStream(request)
  return read instanceof Uint8Array && read.length === 0 ? readParsed(request, false) : read
}

/** The content in `request.body`. `hadBytes`: bytes were read, so an empty value means that they are lost. */
function readParsed(request: NodeBody, hadBytes: boolean): RequestBody {
  const { body } = request as { readonly body?: unknown }
  if (!hadBytes && (body === undefined || body === null)) return new Uint8Array()
  if (body === undefined) throw new Error(READ_BEFORE)
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
    if (hadBytes && bytes.length === 0) throw new Error(READ_BEFORE)
    return bytes.length > MAX_BODY_BYTES ? undefined : bytes
  }
  if (hadBytes && isEmptyObject(body) && !(contentLength(request) <= EMPTY_OBJECT_LENGTH)) {
    throw new Error(READ_BEFORE)
  }
  return { parsed: body }
}

const READ_BEFORE =
  'the body was read before, and request.body does not hold what was in it; mount the endpoint before the parser, or let it parse this content type'

function isEmptyObject(body: unknown): boolean {
  return typeof body === 'object' && body !== null && !Array.isArray(body) && Object.keys(body).length === 0
}

/** NaN without the header, as in a chunked body. */
function contentLength({ headers }: NodeBody): number {
  return Number(headers['content-length'] ?? Number.NaN)
}

/** Uses events: leaving a `for await` loop early would destroy the connection that the answer needs. */
function readStream(request: NodeBody): Promise<RequestBody> {
  const chunks: Uint8Array[] = []
  let total = 0
  return new Promise((resolve) => {
    request.on('data', (chunk) => {
      const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk
      total += bytes.length
      if (total <= MAX_BODY_BYTES) chunks.push(bytes)
      else resolve(undefined) // The rest is discarded.
    })
    request.on('end', () => resolve(joinBytes(chunks)))
    request.on('error', () => resolve(BROKEN_BODY))
    request.on('close', () => resolve(BROKEN_BODY))
  })
}
