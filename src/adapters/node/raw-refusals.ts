// Refusals of connections whose bytes do not become a request: no handler runs, so the answer is written to the socket
// directly, and the socket is closed.

import { STATUS_CODES } from 'node:http'
import { type Problem, problemBody, problemStatus } from '../../http/problem.ts'
import { randomBase62 } from '../../lib/random.ts'

/** Longest head of a request, bytes. Large, because a proxy may pass on all cookies of a site. */
export const MAX_HEAD_BYTES = 65_536

/** The problem for a head that did not arrive in time. */
export const HEAD_TIMEOUT: Problem = {
  code: 'request_timeout',
  detail: 'the head of the request did not arrive within 30 seconds',
}

const HEAD_TOO_LONG: Problem = {
  code: 'invalid_request',
  status: 431,
  detail: `the head of a request may have up to ${MAX_HEAD_BYTES} bytes`,
}
const CHUNKS_TOO_LONG: Problem = {
  code: 'payload_too_large',
  detail: 'the extensions of the chunks are too long',
}
const UNREADABLE: Problem = {
  code: 'invalid_request',
  detail: 'the bytes on this connection are not a well-formed HTTP request',
}

/** The problem for an error code of Node's HTTP parser. */
export function describeParserError(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return HEAD_TOO_LONG
  return code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW' ? CHUNKS_TOO_LONG : UNREADABLE
}

/** The whole HTTP response as ASCII text. `docs` is the URL of the page whose fragments are the codes. */
export function formatRawRefusal(problem: Problem, docs: string): string {
  const requestId = randomBase62(16)
  const body = problemBody(problem, docs, requestId)
  const status = problemStatus(problem)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${body.length}`,
    `X-Request-Id: ${requestId}`,
    'Cache-Control: no-store',
    'Connection: close',
  ]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}
