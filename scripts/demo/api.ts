// The protected API: a catalogue of plants behind `claimAuth`, as any API would embed it. For the demo page it also has
// `/decisions`, which lists the decision on each request, without tokens.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { claimAuth } from '../../src/verify/middleware/node.ts'
import { type DemoServer, type DemoUrls, sendJson } from './demo-server.ts'
import type { LogEntry } from './page/entry.ts'
import { plants } from './plants.ts'

const MAX_ENTRIES = 200

/** Serves the API, and keeps its decisions in memory. */
export function serveApi(server: DemoServer, { site, issuer }: DemoUrls): void {
  const log: LogEntry[] = []
  const current = new AsyncLocalStorage<LogEntry>()
  const auth = claimAuth({
    issuer,
    audience: issuer,
    jwksUri: `${issuer}/.well-known/jwks.json`,
    allowedOrigins: [site],
    apiOrigin: server.origin,
    require: ['origin'],
    scope: 'plants:read',
    // Also the query, as some older APIs do: the least safe way to send a token.
    tokenSources: ['authorization', 'x-client-token', 'query'],
    revocation: { url: `${issuer}/.well-known/revocations`, refreshSeconds: 1 },
    // All servers share one clock: an expired token is refused to the second.
    clockTolerance: 0,
    onDecision({ outcome, code = null }) {
      const entry = current.getStore()
      if (entry) Object.assign(entry, { outcome, code })
    },
  })
  let count = 0

  server.serve((request, response) => {
    const url = URL.parse(request.url ?? '/', server.origin) ?? new URL(server.origin)
    if (url.pathname === '/decisions') {
      const after = Number(url.searchParams.get('after') ?? 0)
      response.setHeader('access-control-allow-origin', site)
      sendJson(response, 200, { entries: log.filter(({ number }) => number > after) })
      return
    }
    count += 1
    const entry: LogEntry = {
      number: count,
      at: new Date().toISOString(),
      method: request.method ?? 'GET',
      path: `${url.pathname}${url.search && '?token=…'}`,
      origin: request.headers.origin ?? null,
      isBrowser: request.headers['sec-fetch-site'] !== undefined,
      outcome: 'preflight',
      code: null,
      status: 0,
    }
    response.once('finish', () => {
      entry.status = response.statusCode
      log.push(entry)
      if (log.length > MAX_ENTRIES) log.shift()
    })
    current.run(entry, () => auth(request, response, () => answer(url.pathname, request, response)))
  })
}

/** Answers a request that `claimAuth` let pass. */
function answer(path: string, request: IncomingMessage, response: ServerResponse): void {
  const plant = plants.find(({ id }) => path === `/plants/${id}`)
  if (request.method !== 'GET') {
    response.setHeader('allow', 'GET')
    sendJson(response, 405, { error: 'method_not_allowed' })
  } else if (path === '/plants') sendJson(response, 200, { data: plants, total: plants.length })
  else if (plant) sendJson(response, 200, { data: plant })
  else sendJson(response, 404, { error: 'not_found' })
}
