// Reading a request's body within bounds: the size is checked while it is read, whatever Content-Length says.

/** Longest body that any endpoint takes. */
const MAX_BODY_BYTES = 16_384

const EMPTY = new Uint8Array(0)

/** How long a body may take to arrive, milliseconds. */
const MAX_BODY_MS = 30_000

/** A body that takes too long to arrive. */
export class SlowBodyError extends Error {
  override readonly name = 'SlowBodyError'
}

/** A body that ended before its end: the client went away. There is nobody to answer. */
export class AbortedBodyError extends Error {
  override readonly name = 'AbortedBodyError'
}

/**
 * The body, or undefined when it is over the limit, where reading stops. Rejects with AbortedBodyError or
 * SlowBodyError.
 */
export async function readBody(
  request: Request,
  max: number = MAX_BODY_BYTES,
): Promise<Uint8Array | undefined> {
  if (hasNoBody(request)) return EMPTY
  let timer: ReturnType<typeof setTimeout> | undefined
  const slow = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SlowBodyError('the body took too long')), MAX_BODY_MS)
  })
  try {
    return await Promise.race([readBounded(request, max), slow])
  } catch (error) {
    if (error instanceof SlowBodyError) throw error
    throw new AbortedBodyError('the body ended early', { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

async function readBounded(request: Request, max: number): Promise<Uint8Array | undefined> {
  const length = request.headers.get('content-length')
  // A length on the wire is kept by the HTTP parser: the body cannot be longer. Without one, count.
  if (length === null || !/^\d+$/.test(length)) return readStream(request.body, max)
  if (Number(length) > max) return undefined
  const bytes = new Uint8Array(await request.arrayBuffer())
  return bytes.length > max ? undefined : bytes
}

/** Whether a request surely has no body, told from its headers alone. */
function hasNoBody(request: Request): boolean {
  const { method, headers } = request
  if (method === 'GET' || method === 'HEAD') return true
  const length = headers.get('content-length')
  return (
    length === '0' || (length === null && headers.get('transfer-encoding') === null && request.body === null)
  )
}

async function readStream(
  stream: ReadableStream<Uint8Array> | null,
  max: number,
): Promise<Uint8Array | undefined> {
  if (stream === null) return EMPTY
  const chunks: Uint8Array[] = []
  let total = 0
  const reader = stream.getReader()
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    total += part.value.length
    if (total > max) {
      await reader.cancel().catch(() => undefined)
      return undefined
    }
    chunks.push(part.value)
  }
  const body = new Uint8Array(total)
  let offset = 0
  for (const chunk of chunks) {
    body.set(chunk, offset)
    offset += chunk.length
  }
  return body
}
