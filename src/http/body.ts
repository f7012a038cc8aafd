// Reads a request's body with a limit on size and time. Bytes are counted while they arrive, so that a request without
// Content-Length is limited too.

import { readBytes } from '../lib/read-bytes.ts'

/** Default limit of a body, bytes. */
export const MAX_BODY_BYTES = 16_384

const EMPTY = new Uint8Array(0)

/** Longest time to wait for the rest of a body, from the call of `readBody`. */
const MAX_BODY_MS = 30_000

/** The body was not complete after 30 s. `serve.ts` answers 408. */
export class SlowBodyError extends Error {
  override readonly name = 'SlowBodyError'
}

/**
 * The connection ended before the body was complete. `serve.ts` answers 400, which the client usually cannot receive any
 * more.
 */
export class AbortedBodyError extends Error {
  override readonly name = 'AbortedBodyError'
}

/**
 * The bytes of the body; empty when the request has none. Undefined when there are more than `max`: the rest is not read.
 *
 * @throws {AbortedBodyError | SlowBodyError}
 */
export async function readBody(
  request: Request,
  max: number = MAX_BODY_BYTES,
): Promise<Uint8Array | undefined> {
  if (hasNoBody(request)) return EMPTY
  let timer: ReturnType<typeof setTimeout> | undefined
  const slow = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new SlowBodyError('the body took too long to arrive')), MAX_BODY_MS)
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
  // The HTTP parser ends the body after Content-Length bytes. A body without that header must be counted.
  if (length === null || !/^\d+$/.test(length)) return readBytes(request.body, max)
  if (Number(length) > max) return undefined
  const bytes = new Uint8Array(await request.arrayBuffer())
  return bytes.length > max ? undefined : bytes
}

/** Whether method and headers already show that there is no body. */
function hasNoBody(request: Request): boolean {
  const { method, headers } = request
  if (method === 'GET' || method === 'HEAD') return true
  const length = headers.get('content-length')
  return (
    length === '0' || (length === null && headers.get('transfer-encoding') === null && request.body === null)
  )
}
