// A fetch handler on Node's HTTP server, and how it stops: no new connection, everything in flight is finished.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, type Socket, Server as TcpServer } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { problemBody } from '../../http/problem.ts'
import { randomBase62 } from '../../lib/random.ts'
import { describeParserError, formatRawRefusal, HEAD_TIMEOUT, MAX_HEAD_BYTES } from './raw-refusals.ts'
import { createSlowClients, IDLE_MS } from './slow-clients.ts'

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
  /**
   * Gives the server its handler, to be called at once after `listen`, before any request can be read. `docs`: the
   * URL whose fragments are the error codes.
   */
  serve(fetch: NodeFetch, docs: string): void
  /** Stops accepting, answers what is in flight with `Connection: close`; resolves when all is done. */
  stop(): Promise<void>
}

/**
 * Node's own timeouts are off (slow-clients.ts replaces them), and Host is checked here, so that every refusal is a
 * problem document.
 */
const OPTIONS = {
  requireHostHeader: false,
  maxHeaderSize: MAX_HEAD_BYTES,
  headersTimeout: 0,
  requestTimeout: 0,
  keepAliveTimeout: IDLE_MS,
} as const

/** While stopping, how long a connection without a request may still bring one. */
const LAST_REQUEST_MS = 200

/**
 * Listens on `host` and `port` (0: a free one). Rejects when the address cannot be had. `stillMs`: how long a connection
 * on which nothing moves is kept, an answer that nobody reads included.
 */
export async function listen(host: string, port: number, stillMs: number = IDLE_MS): Promise<NodeServer> {
  const open = new Set<ServerResponse>()
  const sockets = new Set<Socket>()
  let listener: ReturnType<typeof getRequestListener> | undefined
  let isStopping = false
  let docsUrl = ''

  const slowClients = createSlowClients((socket) =>
    socket.end(formatRawRefusal(HEAD_TIMEOUT, docsUrl), () => socket.destroy()),
  )
  const take = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { socket } = incoming
    slowClients.begin(socket)
    open.add(outgoing)
    outgoing.once('close', () => {
      open.delete(outgoing)
      slowClients.end(socket)
    })
    if (isStopping) outgoing.setHeader('connection', 'close')
    void listener?.(incoming, outgoing)
  }
  const server = createServer(OPTIONS, take)
  server.timeout = stillMs
  // Node would answer 417 without a body; expectations may be ignored (RFC 9110 section 10.1.1).
  server.on('checkExpectation', take)
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // In the middle of an answer, more bytes would count as part of it.
    const isAnswering = [...open].some((outgoing) => outgoing.socket === socket && outgoing.headersSent)
    if (socket.writable && error.code !== 'ECONNRESET' && !isAnswering) {
      socket.write(formatRawRefusal(describeParserError(error.code), docsUrl))
    }
    socket.destroy()
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    slowClients.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await listening(server, host, port)
  const taken = (server.address() as AddressInfo).port

  return {
    port: taken,
    url: localUrl(host, taken),
    serve(fetch, docs) {
      docsUrl = docs
      const guarded: NodeFetch = (request, env) =>
        isMalformed(env.incoming) ? refuseMalformed(docs) : fetch(request, env)
      listener = getRequestListener(guarded as Parameters<typeof getRequestListener>[0], {
        // HTTP/1.0 needs no Host: health checks of load balancers send none.
        hostname: new URL(localUrl(host, taken)).host,
        errorHandler: () => refuseMalformed(docs),
      })
    },
    async stop() {
      // Connections that have arrived already are taken before the listener closes and resets them.
      await setImmediate()
      // http's own close() cuts every idle connection at once, under the hands of who is just about to use it.
      const closed = new Promise<void>((resolve) => TcpServer.prototype.close.call(server, () => resolve()))
      // Only now: who is told to connect anew must find the door shut, not be reset on the threshold.
      isStopping = true
      for (const outgoing of open) if (!outgoing.headersSent) outgoing.setHeader('connection', 'close')
      await Promise.race([closed, setTimeout(LAST_REQUEST_MS)])
      // Whoever has not sent a whole request head by now is cut: browsers open connections that they never use.
      const busy = new Set([...open].map((outgoing) => outgoing.socket))
      for (const socket of sockets) if (!busy.has(socket)) socket.destroy()
      await closed
      slowClients.close()
    },
  }
}

/**
 * `.` and `..` as parts of a path. Clients resolve them before they ask; a target that still has them means one thing
 * to a proxy before us and another to us.
 */
const DOT_SEGMENT = /^[^?]*\/(?:\.|%2e){1,2}(?:[/\\?#]|$)/i

/** A target in absolute form (RFC 9112 section 3.2.2) with user info, of which no Request can be made. */
const USER_INFO = /^[a-z][a-z0-9+.-]*:\/*[^/?#]*@/i

/** Valid hosts, so that each is parsed once. Bounded, because callers choose them. */
const goodHosts = new Set<string>()
const MAX_GOOD_HOSTS = 100

/** Whether target and Host (RFC 9112 section 3.2) form no URL, or one that other parsers read differently. */
function isMalformed({ url = '', headers, rawHeaders, httpVersion }: IncomingMessage): boolean {
  if (DOT_SEGMENT.test(url) || USER_INFO.test(url)) return true
  const { host } = headers
  if (host === undefined) return httpVersion !== '1.0'
  if (!goodHosts.has(host)) {
    if (!isHost(host)) return true
    if (goodHosts.size < MAX_GOOD_HOSTS) goodHosts.add(host)
  }
  // Node keeps only the first of several.
  return rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length > 1
}

function isHost(host: string): boolean {
  return /^[^\s/?#@\\]+$/.test(host) && URL.canParse(`http://${host}`)
}

function refuseMalformed(docs: string): Response {
  const requestId = randomBase62(16)
  const problem = {
    code: 'invalid_request',
    detail: 'the request target and Host header make no URL, or one that is spelt ambiguously',
  } as const
  return new Response(problemBody(problem, docs, requestId), {
    status: 400,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'x-request-id': requestId,
      connection: 'close',
    },
  })
}

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
