// A fetch handler on Node's HTTP server, and how it stops: no new connection, everything in flight is finished.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'

/** A fetch handler that is told of Node's own objects. */
export type NodeFetch = (
  request: Request,
  env: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse },
) => Response | Promise<Response>

/** A listening server. */
export interface NodeServer {
  /** The port that was really taken. */
  readonly port: number
  /** Where this machine reaches it, whatever the issuer is called outside. */
  readonly url: string
  /** Gives the server its handler. To be called at once after `listen`, before any request can be read. */
  serve(fetch: NodeFetch): void
  /** Stops accepting, answers what is in flight with `Connection: close`; resolves when all is done. */
  stop(): Promise<void>
}

/** Listens on `host` and `port` (0: a free one). Rejects when the address cannot be had. */
export async function listen(host: string, port: number): Promise<NodeServer> {
  const open = new Set<ServerResponse>()
  const sockets = new Set<Socket>()
  let listener: ReturnType<typeof getRequestListener> | undefined
  let isStopping = false

  const server = createServer((incoming, outgoing) => {
    open.add(outgoing)
    outgoing.once('close', () => open.delete(outgoing))
    if (isStopping) outgoing.setHeader('connection', 'close')
    void listener?.(incoming, outgoing)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await listening(server, host, port)
  const taken = (server.address() as AddressInfo).port

  return {
    port: taken,
    url: localUrl(host, taken),
    serve(fetch) {
      listener = getRequestListener(fetch as Parameters<typeof getRequestListener>[0], {
        errorHandler: () => new Response(MALFORMED, { status: 400, headers: PROBLEM_HEADERS }),
      })
    },
    async stop() {
      isStopping = true
      for (const outgoing of open) if (!outgoing.headersSent) outgoing.setHeader('connection', 'close')
      // Requests that have arrived already are read before idle connections are closed.
      await setImmediate()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      // To Node a connection that has sent nothing yet is waiting for its request, not idle: browsers open such.
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
      await closed
    },
  }
}

/** A request whose target or Host makes no URL never reaches a handler. */
const MALFORMED = JSON.stringify({
  type: 'about:blank',
  title: 'The request is not well-formed',
  status: 400,
  detail: 'the request target and Host header make no URL',
  error: 'invalid_request',
})
const PROBLEM_HEADERS = { 'content-type': 'application/problem+json', connection: 'close' }

const LOOPBACK_OF: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]' }

function localUrl(host: string, port: number): string {
  const url = new URL(`http://${host.includes(':') ? `[${host}]` : host}:${port}`)
  url.hostname = LOOPBACK_OF[url.hostname] ?? url.hostname
  return url.origin
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
