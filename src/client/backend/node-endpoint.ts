// A client-token endpoint for Express, Connect, Fastify and node:http. It uses the shape of Node's requests and responses
// and imports nothing from Node.

import { joinBytes } from '../../lib/read-bytes.ts'
import { createEndpoint, type Exchange } from './endpoint.ts'
import { BROKEN_BODY, MAX_BODY_BYTES, type RequestBody } from './endpoint-body.ts'
import type { ClaimClient, EndpointOptions } from './types.ts'

/** The members of an IncomingMessage that are used. */
export interface NodeRequest extends NodeBody {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>> & {
    readonly cookie?: string | undefined
  }
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/** The members of a ServerResponse that are used. */
export interface NodeResponse {
  readonly headersSent: boolean
  statusCode: number
  setHeader(name: string, value: string): unknown
  appendHeader(name: string, value: string): unknown
  end(body?: string): unknown
}

/** Options of {@link createNodeClientTokenEndpoint}. `authenticate` gets the server's own request, with its session. */
export type NodeClientTokenEndpointOptions<R extends NodeRequest = NodeRequest> = EndpointOptions<R>

/** Answers a page's request. Never rejects, and never calls the next handler. */
export type NodeClientTokenEndpoint<R extends NodeRequest = NodeRequest> = (
  request: R,
  response: NodeResponse,
) => Promise<void>

/**
 * Creates the same endpoint as `createClientTokenEndpoint`, with the same answers, for requests of Node's http module. It may
 * be mounted before or after a body parser: an unread body is read, a parsed one is taken from `request.body`. When a body
 * was read and is not in `request.body`, the answer is 500, because it may have asked for a key-bound token.
 *
 * @throws {TypeError} when an option is unknown or invalid.
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
    // Other code may have answered in the meantime, such as a timeout of the server.
    if (response.headersSent) return
    response.statusCode = status
    const { vary = '', ...others } = headers
    response.appendHeader('vary', vary)
    for (const name in others) response.setHeader(name, others[name] as string)
    response.end(body ?? undefined)
  }
}

function toExchange<R extends NodeRequest>(request: R): Exchange<R> {
  // Express removes the mount path of a router from `url`.
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

/** The members of an IncomingMessage that are used to read its body. */
export interface NodeBody {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Whether any part of the body was read. */
  readonly readableDidRead: boolean
  readonly readableEnded: boolean
  readonly destroyed: boolean
  on(event: string, listener: (chunk: Uint8Array | string) => void): unknown
}

/** Length of `{}`: a body of this length or less cannot contain a member. */
const EMPTY_OBJECT_LENGTH = 2

/**
 * The body of a request, which a parser may have read before. Parsers leave `{}` in `request.body` for a body that they did
 * not read (Express 4) or could not parse, and other middleware may add members. Rejects when the body was read and its
 * content is lost.
 */
async function readNodeBody(request: NodeBody): Promise<RequestBody> {
  const { readableDidRead, readableEnded, destroyed } = request
  // Not a Node stream, as on some serverless platforms: the content must be in `request.body`.
  if (typeof readableDidRead !== 'boolean') return readParsed(request, false)
  if (readableDidRead) return destroyed && !readableEnded ? BROKEN_BODY : readParsed(request, true)
  if (readableEnded) return readParsed(request, false)
  if (destroyed) return BROKEN_BODY
  const read = await readStream(request)
  return read instanceof Uint8Array && read.length === 0 ? readParsed(request, false) : read
}

/**
 * The content of `request.body`. With `hadBytes`, other code has read the stream: an empty `request.body` then means that its
 * content is lost, and this function throws.
 */
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
  'other code has already read the body, and request.body does not contain it; mount the endpoint before the body parser, or let the parser accept this content type'

function isEmptyObject(body: unknown): boolean {
  return typeof body === 'object' && body !== null && !Array.isArray(body) && Object.keys(body).length === 0
}

/** The Content-Length; NaN without the header, as in a chunked body. */
function contentLength({ headers }: NodeBody): number {
  return Number(headers['content-length'] ?? Number.NaN)
}

/** Uses events, because leaving a `for await` loop early would destroy the connection that the answer needs. */
function readStream(request: NodeBody): Promise<RequestBody> {
  const chunks: Uint8Array[] = []
  let total = 0
  return new Promise((resolve) => {
    request.on('data', (chunk) => {
      const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk
      total += bytes.length
      if (total <= MAX_BODY_BYTES) chunks.push(bytes)
      else resolve(undefined) // further chunks are discarded
    })
    request.on('end', () => resolve(joinBytes(chunks)))
    request.on('error', () => resolve(BROKEN_BODY))
    request.on('close', () => resolve(BROKEN_BODY))
  })
}
