// The servers that tests of claimgate/browser use: a customer's site with its backend, a protected API and a thief's site,
// each on its own origin. The backend and the API use a real issuer. Every server records its requests, and a test can
// script its next answers.

import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import type { BrowserContext, Page } from 'playwright-core'
import { createClaimClient, createNodeClientTokenEndpoint } from '../../src/client/backend/index.ts'
import type * as door from '../../src/client/browser/index.ts'
import { claimAuth } from '../../src/verify/middleware/node.ts'
import { admin } from './admin-api.ts'
import type { RunningServer } from './server.ts'
import type { Json } from './wire.ts'

const DOOR = 'autoInitializeDataClient, createTokenSource, DataClientError'

/** Bundles exports of claimgate/browser, minified, as a customer's bundler does. */
export async function bundleClient(exports = DOOR): Promise<string> {
  const resolveDir = join(import.meta.dirname, '../../src/client/browser')
  const built = await build({
    stdin: { contents: `export { ${exports} } from './index.ts'`, resolveDir },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  })
  return built.outputFiles[0]?.text ?? ''
}

/** One request that a server received, and the status of its answer. */
export interface Seen {
  /** Milliseconds on the monotonic clock. */
  readonly at: number
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  status: number
}

/** An answer that replaces the usual one. */
export interface Scripted {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** A server on loopback that records its requests. */
interface Place {
  readonly origin: string
  /** Every request so far except preflights, in the order of arrival. */
  readonly seen: Seen[]
  /** The next answers, in this order; after them the usual ones. */
  readonly script: Scripted[]
  stop(): Promise<void>
}

export interface ClientWorld {
  readonly issuer: RunningServer
  readonly site: Place
  readonly api: Place
  readonly thief: Place
  /** The account token of the site's backend. */
  readonly accountToken: string
  /** Another server for requests to paths of the site that begin with the key: an origin. */
  readonly backends: Map<string, string>
  /** The `jti` of each token that the API refuses as revoked. */
  readonly revoked: Set<string>
  /** The requests to the site's client-token endpoint. */
  readonly asked: () => readonly Seen[]
  /** Deletes the records, the scripted answers and the revocations. */
  clear(): void
  /** Opens the page of the site at this path, with claimgate/browser in `globalThis.claimgate`. */
  open(context: BrowserContext, path?: string): Promise<Page>
  stop(): Promise<void>
}

/** The globals of the pages of the site. */
export interface PageGlobals {
  readonly claimgate: typeof door
  client: door.DataClient
  source: door.TokenSource
  /** Status and code of each error that the client passed to `onError`. */
  readonly heard: Json[]
}

/** The value of a call in a page, or its error. */
export interface Outcome {
  readonly value?: Json
  readonly error?: { name: string; message: string; status: number; code: string; problem?: Json }
}

const PAGE = `<!doctype html><title>Shop</title><script type="module">
import * as claimgate from '/client.js'
Object.assign(globalThis, { claimgate, heard: [] })
</script>`

/** A worker that makes the call that a message asks for; it serves as Web Worker and as Service Worker. */
const WORKER = `import { autoInitializeDataClient } from '/client.js'
let client
addEventListener('install', () => skipWaiting())
addEventListener('activate', (event) => event.waitUntil(clients.claim()))
addEventListener('message', async ({ data: [options, path], ports: [port] }) => {
  try {
    client ??= await autoInitializeDataClient(options)
    port.postMessage({ value: await client.get(path) })
  } catch ({ name, message, status, code }) { port.postMessage({ error: { name, message, status, code } }) }
})`

/**
 * Starts the servers. The caller stops the issuer. The query parameter `life` of the client-token endpoint sets the lifetime
 * of its tokens in seconds, by default 600.
 */
export async function startClientWorld(issuer: RunningServer): Promise<ClientWorld> {
  const client = await bundleClient()
  const revoked = new Set<string>()
  const backends = new Map<string, string>()
  const site = await startPlace('app.localhost', (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://site')
    if (pathname === '/client-token') return void endpointFor(searchParams)(request, response)
    for (const [prefix, origin] of backends) {
      if (pathname.startsWith(prefix))
        return passOn(request, response, origin + pathname.slice(prefix.length))
    }
    const [type, text] = pathname.endsWith('.js')
      ? ['text/javascript', pathname === '/client.js' ? client : WORKER]
      : ['text/html', PAGE]
    response.setHeader('content-type', type).end(text)
  })
  const thief = await startPlace('thief.localhost', (_, response) => json(response, 200, { owner: 'thief' }))
  let guard: ReturnType<typeof claimAuth> | undefined
  const api = await startPlace('127.0.0.1', (request, response) => {
    guard?.(request, response, () => serveApi(request, response, thief.origin))
  })
  const { credential } = await admin(issuer.url, 'POST', '/accounts', {
    body: { name: 'Shop', allowedOrigins: [site.origin], scopes: ['read'] },
    status: 201,
  })
  guard = claimAuth({
    issuer: issuer.url,
    audience: issuer.url,
    jwksUri: `${issuer.url}/.well-known/jwks.json`,
    allowedOrigins: [site.origin],
    apiOrigin: api.origin,
    clockTolerance: 0,
    revocation: ({ jti }) => revoked.has(jti),
  })
  const backend = createClaimClient({ issuer: issuer.url, token: credential.token })
  const endpointFor = (query: URLSearchParams) =>
    createNodeClientTokenEndpoint(backend, {
      clientTokenUri: '/client-token',
      baseUrl: `${api.origin}/v1`,
      allowedOrigins: [site.origin],
      authenticate: 'public',
      expiresIn: Number(query.get('life') ?? 600),
      onError: () => undefined,
    })
  const places = [site, api, thief]
  return {
    issuer,
    site,
    api,
    thief,
    accountToken: credential.token,
    backends,
    revoked,
    asked: () => site.seen.filter(({ url }) => url.startsWith('/client-token')),
    clear() {
      for (const { seen, script } of places) seen.length = script.length = 0
      revoked.clear()
    },
    async open(context, path = '/') {
      const page = await context.newPage()
      await page.goto(site.origin + path)
      await page.waitForFunction('globalThis.claimgate')
      return page
    },
    stop: async () => void (await Promise.all(places.map((place) => place.stop()))),
  }
}

/** Passes a request on to another server, as a proxy in front of a site does. */
function passOn(request: IncomingMessage, response: ServerResponse, url: string): void {
  const passed = httpRequest(url, { method: request.method, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  request.pipe(passed)
}

function serveApi(request: IncomingMessage, response: ServerResponse, thief: string): void {
  const { pathname } = new URL(request.url ?? '/', 'http://api')
  const { claims } = request as IncomingMessage & { claims: { jti: string } }
  const name = pathname.replace('/v1/', '')
  if (name === 'nothing') return void response.writeHead(204).end()
  if (name === 'text') return void response.setHeader('content-type', 'text/plain').end('plain words')
  if (name === 'moved') return void response.writeHead(307, { location: '/v1/data' }).end()
  if (name === 'leave') return void response.writeHead(307, { location: `${thief}/taken` }).end()
  let body = ''
  request.on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () =>
    json(response, 200, {
      jti: claims.jti,
      method: request.method,
      type: request.headers['content-type'] ?? null,
      body,
    }),
  )
}

async function startPlace(
  host: string,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Place> {
  const seen: Seen[] = []
  const script: Scripted[] = []
  const server: Server = createServer((request, response) => {
    const { method = '', url = '', headers } = request
    if (method === 'OPTIONS' && script.length === 0 && host !== 'thief.localhost')
      return serve(request, response)
    openUp(response, headers)
    if (method === 'OPTIONS') return void response.writeHead(204).end()
    const one: Seen = { at: performance.now(), method, url, headers, status: 0 }
    // A request for a page or a script file does not use up a scripted answer.
    const next = /\.js$|^\/($|page)/.test(url) ? undefined : script.shift()
    seen.push(one)
    response.on('finish', () => {
      one.status = response.statusCode
    })
    if (next) return json(response, next.status, next.body, next.headers)
    if (host !== 'thief.localhost') for (const name of response.getHeaderNames()) response.removeHeader(name)
    serve(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://${host}:${(server.address() as AddressInfo).port}`,
    seen,
    script,
    stop() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Adds CORS headers that let any origin read the answer. The thief's site and scripted answers have them. */
function openUp(response: ServerResponse, { origin = '*' }: IncomingMessage['headers']): void {
  response.setHeader('access-control-allow-origin', origin)
  response.setHeader('access-control-allow-methods', 'GET, POST, PUT, PATCH, DELETE')
  response.setHeader('access-control-allow-headers', 'authorization, dpop, content-type')
  response.setHeader('access-control-expose-headers', 'www-authenticate, retry-after')
}

function json(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}

/** Creates a client in a page; resolves to its error, if any. */
export function startClient(
  page: Page,
  options: Omit<door.DataClientOptions, 'fetch' | 'onError'>,
): Promise<Outcome> {
  return page.evaluate(async (given) => {
    const globals = globalThis as unknown as PageGlobals
    const { claimgate, heard } = globals
    try {
      globals.client = await claimgate.autoInitializeDataClient({
        ...given,
        onError: ({ status, code }) => void heard.push({ status, code }),
      })
      return {}
    } catch (thrown) {
      const { name, message, status, code, problem } = thrown as door.DataClientError
      return { error: { name, message, status, code, problem } }
    }
  }, options)
}

/** Makes a call with the client of the page; resolves to its outcome. */
export function call(
  page: Page,
  method: 'get' | 'post' | 'put' | 'patch' | 'delete' | 'request',
  ...parameters: readonly unknown[]
): Promise<Outcome> {
  return page.evaluate(
    async ([name, args]) => {
      const { client } = globalThis as unknown as PageGlobals
      try {
        return { value: await (client[name] as (...all: readonly unknown[]) => Promise<unknown>)(...args) }
      } catch (thrown) {
        const { name, message, status, code, problem } = thrown as door.DataClientError
        return { error: { name, message, status, code, problem } }
      }
    },
    [method, parameters] as const,
  )
}

/** Calls the API about every 100 ms until an outcome satisfies `isDone`; resolves to all outcomes, rejects after `limitMs`. */
export async function callUntil(
  page: Page,
  isDone: (outcome: Outcome) => boolean,
  limitMs: number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const end = performance.now() + limitMs
  while (performance.now() < end) {
    const outcome = await call(page, 'get', '/data')
    outcomes.push(outcome)
    if (isDone(outcome)) return outcomes
    await sleep(100)
  }
  throw new Error(`not the expected outcome within ${limitMs} ms: ${JSON.stringify(outcomes.at(-1))}`)
}
