// A fetch handler on Node's HTTP server. Stopping refuses new connections and finishes the requests in progress.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, type Socket, Server as TcpServer } from 'node:net'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { bracketHost } from '../../config/fields.ts'
import { problemBody } from '../../http/problem.ts'
import { randomBase62 } from '../../lib/random.ts'
import { describeParserError, formatRawRefusal, HEAD_TIMEOUT, MAX_HEAD_BYTES } from './raw-refusals.ts'
import { createSlowClients, IDLE_MS } from './slow-clients.ts'

/** A fetch handler that also gets Node's request and response. */
export type NodeFetch = (
  request: Request,
  env: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse },
) => Response | Promise<Response>

/** A server that listens on its port. */
export interface NodeServer {
  /** The port that the server listens on, also when 0 was asked for. */
  readonly port: number
  /** The URL of the server on this machine, which may differ from the issuer. */
  readonly url: string
  /**
   * Sets the handler. Call it in the same turn of the event loop in which `listen` resolves, because a request that arrives
   * earlier gets no answer. `docs` is the URL whose fragments are the error codes.
   */
  serve(fetch: NodeFetch, docs: string): void
  /**
   * Stops accepting connections, and answers requests in progress with `Connection: close`. Resolves when all are done.
   */
  stop(): Promise<void>
}

/**
 * Node's timeouts of heads and whole requests are off, because slow-clients.ts and http/body.ts have their own. Node's check
 * of Host is off, because `isMalformed` checks it. So every refusal is a problem document.
 */
const OPTIONS = {
  requireHostHeader: false,
  maxHeaderSize: MAX_HEAD_BYTES,
  headersTimeout: 0,
  requestTimeout: 0,
} as const

/** While stopping, how long an open connection may still send a request, milliseconds. */
const LAST_REQUEST_MS = 200

/**
 * Listens on `host` and `port` (0: a free one). Rejects with the system's error when it cannot listen there. A connection
 * on which no byte was received or sent for `idleMs` milliseconds (default 75 000) is closed: between two requests, and also
 * when the client does not read its answer.
 */
export async function listen(host: string, port: number, idleMs: number = IDLE_MS): Promise<NodeServer> {
  const open = new Set<ServerResponse>()
  const sockets = new Set<Socket>()
  let listener: ReturnType<typeof getRequestListener> | undefined
  let isStopping = false
  let docsUrl = ''

  const slowClients = createSlowClients(idleMs, (socket) =>
    socket.end(formatRawRefusal(HEAD_TIMEOUT, docsUrl), () => socket.destroy()),
  )
  const handleRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
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
  const server = createServer(OPTIONS, handleRequest)
  // Node times a connection in use with `timeout`, and one between two requests with `keepAliveTimeout`.
  server.timeout = idleMs
  server.keepAliveTimeout = idleMs
  // Without this listener Node answers 417 without a body. An expectation may be ignored (RFC 9110 section 10.1.1).
  server.on('checkExpectation', handleRequest)
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // If an answer has begun, the client would read these bytes as part of it.
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
  await startListening(server, host, port)
  const boundPort = (server.address() as AddressInfo).port

  return {
    port: boundPort,
    url: localUrl(host, boundPort),
    serve(fetch, docs) {
      docsUrl = docs
      const guarded: NodeFetch = (request, env) =>
        isMalformed(env.incoming) ? refuseMalformed(docs) : fetch(request, env)
      listener = getRequestListener(guarded as Parameters<typeof getRequestListener>[0], {
        // Used when there is no Host: HTTP/1.0 allows that, and health checks of load balancers do it.
        hostname: new URL(localUrl(host, boundPort)).host,
        errorHandler: () => refuseMalformed(docs),
      })
    },
    async stop() {
      // Lets Node accept the connections that have arrived, because closing the listener would reset them.
      await setImmediate()
      // The close() of node:http would close idle connections immediately, while a client may be sending a request on one.
      const closed = new Promise<void>((resolve) => TcpServer.prototype.close.call(server, () => resolve()))
      // Set only after the listener is closed, so that a client that then connects again is refused, not reset.
      isStopping = true
      for (const outgoing of open) if (!outgoing.headersSent) outgoing.setHeader('connection', 'close')
      await Promise.race([closed, setTimeout(LAST_REQUEST_MS)])
      // Closes connections on which no request is being answered: browsers open connections that they never use.
      const busy = new Set([...open].map((outgoing) => outgoing.socket))
      for (const socket of sockets) if (!busy.has(socket)) socket.destroy()
      await closed
      slowClients.close()
    },
  }
}

/**
 * `.` and `..` as path segments. Clients resolve them before they send a request. A target that still has them may be read
 * as one path by a proxy and as another by this server.
 */
const DOT_SEGMENT = /^[^?]*\/(?:\.|%2e){1,2}(?:[/\\?#]|$)/i

/** A target in absolute form (RFC 9112 section 3.2.2) with user info, for which `new Request` throws. */
const USER_INFO = /^[a-z][a-z0-9+.-]*:\/*[^/?#]*@/i

/** Values of Host that were checked and are valid. Limited in number, because callers choose them. */
const goodHosts = new Set<string>()
const MAX_GOOD_HOSTS = 100

/** Whether target and Host (RFC 9112 section 3.2) form no URL, or a URL that other parsers may read differently. */
function isMalformed({ url = '', headers, rawHeaders, httpVersion }: IncomingMessage): boolean {
  if (DOT_SEGMENT.test(url) || USER_INFO.test(url)) return true
  const { host } = headers
  if (host === undefined) return httpVersion !== '1.0'
  if (!goodHosts.has(host)) {
    if (!isHost(host)) return true
    if (goodHosts.size < MAX_GOOD_HOSTS) goodHosts.add(host)
  }
  // `headers` has only the first of several Host lines.
  return rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length > 1
}

function isHost(host: string): boolean {
  return /^[^\s/?#@\\]+$/.test(host) && URL.canParse(`http://${host}`)
}

function refuseMalformed(docs: string): Response {
  const requestId = randomBase62(16)
  const problem = {
    code: 'invalid_request',
    detail: 'the request target and Host header form no URL, or one that can be read in two ways',
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
  const url = new URL(`http://${bracketHost(host)}:${port}`)
  url.hostname = LOOPBACK_OF[url.hostname] ?? url.hostname
  return url.origin
}

function startListening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
