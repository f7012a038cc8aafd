// The customer's web site: one page with its style and script, the token endpoints that the page calls, and the lab. The
// account token stays in this process; the page never gets it.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type ClaimClient, createNodeClientTokenEndpoint } from '../../src/client/backend/index.ts'
import { type DemoServer, type DemoUrls, sendJson } from './demo-server.ts'
import type { Lab } from './lab.ts'

const FOLDER = join(import.meta.dirname, 'page')
const COOKIE = 'claimgate_demo'

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void

/** Bundles the script of the page and serves the site. */
export async function serveSite(
  server: DemoServer,
  urls: DemoUrls,
  client: ClaimClient,
  lab: Lab,
): Promise<void> {
  // Opening the page signs the visitor in; the demo has no other session.
  const session = `${COOKIE}=${randomBytes(16).toString('hex')}`
  const isSignedIn = ({ headers }: IncomingMessage): boolean =>
    (headers.cookie ?? '').split('; ').includes(session)

  const endpoint = (expiresIn: number, bindIp: boolean): Handler =>
    createNodeClientTokenEndpoint<IncomingMessage>(client, {
      baseUrl: urls.api,
      allowedOrigins: [server.origin],
      authenticate: isSignedIn,
      expiresIn,
      bindIp,
    })
  const html = readFileSync(join(FOLDER, 'page.html'), 'utf8').replace(
    /\{\{(site|api|issuer|thief)(\.host)?\}\}/g,
    (_, name: keyof DemoUrls, isHost) => (isHost ? new URL(urls[name]).host : urls[name]),
  )
  const file = (type: string, content: string): Handler => {
    return (_, response) => void response.setHeader('content-type', type).end(content)
  }
  const routes: Readonly<Record<string, Handler>> = {
    'GET /': (_, response) => {
      response.setHeader('set-cookie', `${session}; HttpOnly; SameSite=Strict; Path=/`)
      response.setHeader('content-security-policy', policy(urls))
      response.setHeader('content-type', 'text/html; charset=utf-8').end(html)
    },
    'GET /page.css': file('text/css; charset=utf-8', readFileSync(join(FOLDER, 'page.css'), 'utf8')),
    'GET /page.js': file('text/javascript; charset=utf-8', await bundle()),
    // Bound to this origin, the visitor's address and the key that the page names, for a minute.
    'POST /api/client-token': endpoint(60, true),
    // Bound to this origin only, for five minutes and for ten seconds.
    'POST /api/plain-token': endpoint(300, false),
    'POST /api/short-token': endpoint(10, false),
  }

  server.serve((request, response) => {
    response.setHeader('cache-control', 'no-store')
    // Under another host name the page would have another origin, which its tokens are not for.
    if (`http://${request.headers.host}` !== server.origin) {
      return void response.writeHead(307, { location: `${server.origin}/` }).end()
    }
    const path = `${request.method} ${request.url?.split('?')[0]}`
    const route = routes[path]
    if (route) return void route(request, response)
    if (!path.startsWith('POST /lab/')) return sendJson(response, 404, { error: 'not_found' })
    if (request.headers.origin !== server.origin || !isSignedIn(request)) {
      return sendJson(response, 403, { error: 'forbidden' })
    }
    void lab(path.slice('POST /lab/'.length), request, response)
  })
}

/** The page's script, as a customer's bundler makes it. */
async function bundle(): Promise<string> {
  const built = await build({
    entryPoints: [join(FOLDER, 'page.ts')],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'error',
  })
  return built.outputFiles[0]?.text ?? ''
}

function policy({ api, thief }: DemoUrls): string {
  const own = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; base-uri 'none'"
  return `${own}; form-action 'none'; frame-ancestors 'none'; connect-src 'self' ${api}; frame-src ${thief}`
}
