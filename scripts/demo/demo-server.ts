// Servers on loopback. A server listens before it has a request handler, because the handlers of the others need its address.

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** The origins of a running demo. */
export interface DemoUrls {
  readonly site: string
  readonly api: string
  readonly thief: string
  readonly issuer: string
}

/** One server of the demo, with an origin of its own. */
export interface DemoServer {
  /** `http://localhost:<port>`: a secure context for browsers, and a different origin for each port. */
  readonly origin: string
  /** Sets the handler of all requests; call it once. */
  serve(listener: RequestListener): void
  stop(): Promise<void>
}

const MAX_BODY_BYTES = 16_384

/** Listens on this port of 127.0.0.1; 0 takes a free port. Rejects when the port is in use. */
export async function openServer(port: number): Promise<DemoServer> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new Error(`port ${port} is taken; try another --port`) : error),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    serve: (listener) => void server.on('request', listener),
    stop() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Answers with a JSON object, which no cache may store. */
export function sendJson(response: ServerResponse, status: number, body: object): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.setHeader('cache-control', 'no-store')
  response.end(JSON.stringify(body))
}

/** The JSON object in a request body of up to 16 KiB; an empty object where the body is anything else. */
export async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk
    if (text.length > MAX_BODY_BYTES) return {}
  }
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
