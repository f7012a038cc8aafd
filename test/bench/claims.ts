// The benchmark of claims: tokens per second. Every server gets an equivalent request in its own format.

import { join } from 'node:path'
import { startChild } from './child.ts'
import type { LoadRequest } from './load.ts'
import { OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_RESOURCE } from './oidc-client.ts'
import { type Contestant, plainEnvironment, type Running, type Suite, startScript } from './suite.ts'

const BARE = 'hono, constant answer'
const OIDC = 'node-oidc-provider, ES256'

/** Measures how many tokens a server issues per second. */
export const claims: Suite = {
  title: 'claims: POST, a token in the answer',
  bare: BARE,
  peer: { name: OIDC, column: 'of oidc' },
  contestants: [
    answering(BARE, null, (dir) => startHono(dir, 'constant')),
    answering(OIDC, 'ES256', startOidc),
    answering('hono + jose, ES256', 'ES256', (dir) => startHono(dir, 'jose')),
    answering('floor, ES256', 'ES256', (dir) => startHono(dir, 'floor-ES256')),
    answering('claimgate, ES256', 'ES256', (dir) => startClaimgate(dir, 'ES256')),
    answering('claimgate, EdDSA', 'EdDSA', (dir) => startClaimgate(dir, 'EdDSA')),
    answering('floor, HS256', 'HS256', (dir) => startHono(dir, 'floor-HS256')),
    answering('claimgate, HS256', 'HS256', (dir) => startClaimgate(dir, 'HS256')),
  ],
}

/** A contestant whose answers must contain a token signed with `alg`; null for one that answers without a token. */
function answering(
  name: string,
  alg: 'ES256' | 'EdDSA' | 'HS256' | null,
  start: Contestant['start'],
): Contestant {
  return { name, start, check: (running) => checkAnswer(alg, running) }
}

const ORIGIN = 'https://www.example.com'

/** As long as a real account token, for servers that do not check it. */
const SOME_TOKEN = `cgk_${'0'.repeat(12)}_${'0'.repeat(43)}_${'0'.repeat(6)}`

function claimRequest(token: string): LoadRequest {
  return {
    method: 'POST',
    path: '/auth/claim',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, origin: ORIGIN, ip: '203.0.113.7' }),
  }
}

async function startHono(dir: string, kind: string): Promise<Running> {
  return { child: await startScript('peer-hono.ts', kind, dir), request: claimRequest(SOME_TOKEN) }
}

async function startOidc(dir: string): Promise<Running> {
  const child = await startScript('peer-oidc.ts', '', dir)
  const basic = Buffer.from(`${OIDC_CLIENT_ID}:${OIDC_CLIENT_SECRET}`).toString('base64')
  const request: LoadRequest = {
    method: 'POST',
    path: '/token',
    headers: { 'content-type': 'application/x-www-form-urlencoded', authorization: `Basic ${basic}` },
    body: `grant_type=client_credentials&scope=read&resource=${encodeURIComponent(OIDC_RESOURCE)}`,
  }
  return { child, request }
}

const ADMIN_TOKEN = 'admin-token-of-this-benchmark-alone'

/** Starts the real server: SQLite in a file, audit log on, and a rate limit that is too high to be reached. */
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
  if (response.status !== 201) throw new Error(`could not create an account: ${await response.text()}`)
  const { credential } = (await response.json()) as { credential: { token: string } }
  return { child, request: claimRequest(credential.token) }
}

async function checkAnswer(alg: string | null, { child, request }: Running): Promise<void> {
  const { path, method, headers, body = null } = request
  const response = await fetch(child.url + path, { method, headers, body })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`answered ${response.status}: ${text}`)
  if (alg === null) return
  const answer: Record<string, unknown> = JSON.parse(text)
  const [header = '', , signature] = String(answer.token ?? answer.access_token).split('.')
  const given: unknown = JSON.parse(Buffer.from(header, 'base64url').toString()).alg
  if (given !== alg || !signature)
    throw new Error(`answered a token with alg ${given} where ${alg} is expected`)
}
