// Who takes part: how each is started and what it is asked. All are asked for the same thing, in their own spelling.

import { join } from 'node:path'
import { type Child, startChild } from './child.ts'
import type { LoadRequest } from './load.ts'
import { OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_RESOURCE } from './oidc-client.ts'

/** A server that is up, and the request to load it with. */
export interface Running {
  readonly child: Child
  readonly request: LoadRequest
}

/** One row of the table. */
export interface Contestant {
  readonly name: string
  /** Algorithm of the token that it must answer with; null: it answers no token. */
  readonly alg: 'ES256' | 'EdDSA' | 'HS256' | null
  /** Starts it with `dir`, empty and its own, as working directory. */
  start(dir: string): Promise<Running>
}

/** The name that every ratio is taken of. */
export const BARE = 'hono, constant answer'
/** The name of the product beside us. */
export const OIDC = 'node-oidc-provider, ES256'

/** In the order in which they run and are shown. */
export const contestants: readonly Contestant[] = [
  { name: BARE, alg: null, start: (dir) => startHono(dir, 'constant') },
  { name: OIDC, alg: 'ES256', start: startOidc },
  { name: 'hono + jose, ES256', alg: 'ES256', start: (dir) => startHono(dir, 'jose') },
  { name: 'floor, ES256', alg: 'ES256', start: (dir) => startHono(dir, 'floor-ES256') },
  { name: 'claimgate, ES256', alg: 'ES256', start: (dir) => startClaimgate(dir, 'ES256') },
  { name: 'claimgate, EdDSA', alg: 'EdDSA', start: (dir) => startClaimgate(dir, 'EdDSA') },
  { name: 'floor, HS256', alg: 'HS256', start: (dir) => startHono(dir, 'floor-HS256') },
  { name: 'claimgate, HS256', alg: 'HS256', start: (dir) => startClaimgate(dir, 'HS256') },
]

const ORIGIN = 'https://www.example.com'

/** As long as a real account token, for those who do not look at it. */
const SOME_TOKEN = `cgk_${'0'.repeat(12)}_${'0'.repeat(43)}_${'0'.repeat(6)}`

function claimRequest(token: string): LoadRequest {
  return {
    path: '/auth/claim',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, origin: ORIGIN, ip: '203.0.113.7' }),
  }
}

async function startHono(dir: string, kind: string): Promise<Running> {
  const child = await startChild([join(import.meta.dirname, 'peer-hono.ts'), kind], dir, plainEnvironment())
  return { child, request: claimRequest(SOME_TOKEN) }
}

async function startOidc(dir: string): Promise<Running> {
  const child = await startChild([join(import.meta.dirname, 'peer-oidc.ts')], dir, plainEnvironment())
  const basic = Buffer.from(`${OIDC_CLIENT_ID}:${OIDC_CLIENT_SECRET}`).toString('base64')
  const request = {
    path: '/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${basic}` },
    body: `grant_type=client_credentials&scope=read&resource=${encodeURIComponent(OIDC_RESOURCE)}`,
  }
  return { child, request }
}

const ADMIN_TOKEN = 'admin-token-of-this-benchmark-alone'

/** The real server: SQLite in a file, audit and limits on; the limit is only too high to be reached. */
async function startClaimgate(dir: string, alg: string): Promise<Running> {
  const child = await startChild([join(import.meta.dirname, '../../src/node.ts')], dir, {
    ...plainEnvironment(),
    PORT: '0',
    DATABASE_URL: `sqlite:${join(dir, 'claimgate.db')}`,
    CLAIMGATE_KEYS_DIR: join(dir, 'keys'),
    CLAIMGATE_ADMIN_TOKEN: ADMIN_TOKEN,
    CLAIMGATE_ALG: alg,
    CLAIMGATE_RATE_LIMIT: '100000000/60',
  })
  const response = await fetch(`${child.url}/admin/accounts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'Benchmark', allowedOrigins: [ORIGIN] }),
  })
  if (response.status !== 201) throw new Error(`no account could be made: ${await response.text()}`)
  const { credential } = (await response.json()) as { credential: { token: string } }
  return { child, request: claimRequest(credential.token) }
}

function plainEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production' }
}

/** Asks once and looks at the answer, so that nobody is measured doing something else. */
export async function checkAnswer({ alg }: Contestant, { child, request }: Running): Promise<void> {
  const { path, headers, body } = request
  const response = await fetch(child.url + path, { method: 'POST', headers, body })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`answered ${response.status}: ${text}`)
  if (alg === null) return
  const answer: Record<string, unknown> = JSON.parse(text)
  const [header = '', , signature] = String(answer.token ?? answer.access_token).split('.')
  const given: unknown = JSON.parse(Buffer.from(header, 'base64url').toString()).alg
  if (given !== alg || !signature)
    throw new Error(`answered a token with alg ${given} where ${alg} is expected`)
}
