// A request of which the test controls every header and byte, and how to send it: to the app in this process, or to a real
// server.

import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http'

/** A request. Sending it adds only the headers that HTTP requires, and with `from` also `CF-Connecting-IP`. */
export interface WireRequest {
  readonly method: string
  /** Path and query, sent without normalization. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
  /** Whether the body is sent in chunks, without Content-Length. */
  readonly chunked?: boolean
  /** The client's IP address. Over a socket it must be a loopback address. */
  readonly from?: string
}

/** JSON of any shape. It has the type `any`, because the expectations of a test check the shape. */
export type Json = ReturnType<typeof JSON.parse>

export interface WireAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Parses the body. Throws when it is not JSON. */
  json(): Json
}

/** A running service that accepts requests. */
export interface Target {
  /** The issuer URL of the service. */
  readonly issuer: string
  send(request: WireRequest): Promise<WireAnswer>
  stop(): Promise<void>
}

/** Sends a request to a fetch handler in this process. */
export async function sendToFetch(
  fetch: (request: Request) => Response | Promise<Response>,
  base: string,
  wire: WireRequest,
): Promise<WireAnswer> {
  const headers = new Headers()
  for (const [name, value] of Object.entries({ ...wire.headers, ...edgeHeaders(wire) })) {
    for (const one of [value].flat()) headers.append(name, one)
  }
  const bytes = wire.body === undefined ? undefined : Buffer.from(wire.body)
  if (bytes && !wire.chunked) headers.set('content-length', String(bytes.length))
  const body = bytes && (wire.chunked ? new Blob([bytes]).stream() : bytes)
  const init = { method: wire.method, headers, ...(body && { body, duplex: 'half' }) }
  const response = await fetch(new Request(base + wire.path, init as RequestInit))
  return toAnswer(response.status, response.headers, await response.text())
}

/** Sends a request to a server over a new connection. The HTTP client adds only Host, Connection and the body's framing. */
export function sendToSocket(base: string, wire: WireRequest): Promise<WireAnswer> {
  const { hostname, port } = new URL(base)
  const body = wire.body === undefined ? undefined : Buffer.from(wire.body)
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries({ ...wire.headers, ...edgeHeaders(wire) }))
    headers[name] = typeof value === 'string' ? value : [...value]
  if (body && !wire.chunked) headers['content-length'] = String(body.length)
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        hostname,
        port,
        method: wire.method,
        path: wire.path,
        headers,
        agent: false,
        ...(wire.from !== undefined && { localAddress: wire.from }),
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const seen = new Headers()
          for (const [name, values] of Object.entries(response.headersDistinct)) {
            for (const value of values ?? []) seen.append(name, value)
          }
          resolve(toAnswer(response.statusCode ?? 0, seen, Buffer.concat(chunks).toString('utf8')))
        })
      },
    )
    request.on('error', reject)
    if (body && wire.chunked) request.write(body)
    request.end(wire.chunked ? undefined : body)
  })
}

/** The header from which Workers read the client's address. A server on a socket ignores it and uses the socket's address. */
function edgeHeaders({ from }: WireRequest): Record<string, string> {
  return from === undefined ? {} : { 'cf-connecting-ip': from }
}

function toAnswer(status: number, headers: Headers, text: string): WireAnswer {
  return { status, headers, text, json: () => JSON.parse(text) }
}
