// The body of a Node request that a body parser may have read before. It may ask for a key-bound token, so without its
// content no token is issued. Parsers leave `{}` for a body that they did not read (Express 4) or could not parse,
// and other middleware adds its own members.

import { BROKEN_BODY, MAX_BODY_BYTES, type RequestBody } from './endpoint-body.ts'
import { joinBytes } from './read-bytes.ts'

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
