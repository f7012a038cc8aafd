// The benchmark of verification: a GET with a token, which gets a constant answer when the token is valid. claimgate runs
// with all checks: origin, address, CORS. "Known" repeats one token; "unknown" sends tokens that are not in the cache.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadRequest } from './load.ts'
import { type Contestant, type Running, type Suite, startScript } from './suite.ts'
import { KEYS_FILE, makeTokens, ORIGIN, type Tokens } from './tokens.ts'

type Alg = 'ES256' | 'HS256'

const BARE = 'hono, constant answer'
const FASTIFY = 'fastify + @fastify/jwt, HS256'

/** Measures requests per second of an API behind a verifier. */
export const verify: Suite = {
  title: 'verify: GET with a token',
  bare: BARE,
  peer: { name: FASTIFY, column: 'of fastify' },
  contestants: [
    { name: BARE, start: (dir) => startKnown(dir, 'constant', 'HS256'), check: checkPass },
    guarded(FASTIFY, 'fastify', 'HS256'),
    guarded('express + jsonwebtoken, HS256', 'express', 'HS256'),
    guarded('hono/jwt, HS256', 'hono-jwt', 'HS256'),
    guarded('hono + jose, HS256', 'jose-HS256', 'HS256'),
    guarded('hono + jose, ES256', 'jose-ES256', 'ES256'),
    guarded('floor: hono + lru hit', 'lru', 'HS256'),
    claimgate('claimgate/hono, known ES256', 'claimgate-ES256', 'ES256'),
    claimgate('claimgate/hono, known HS256', 'claimgate-HS256', 'HS256'),
    claimgate('claimgate/node, known ES256', 'claimgate-node', 'ES256'),
    claimgate('claimgate/hono, unknown ES256', 'claimgate-ES256', 'ES256', startUnknown),
    claimgate('claimgate/hono, unknown HS256', 'claimgate-HS256', 'HS256', startUnknown),
  ],
}

type Start = (dir: string, kind: string, alg: Alg) => Promise<Running>

function guarded(name: string, kind: string, alg: Alg): Contestant {
  return { name, start: (dir) => startKnown(dir, kind, alg), check: checkGuard }
}

function claimgate(name: string, kind: string, alg: Alg, start: Start = startKnown): Contestant {
  return { name, start: (dir) => start(dir, kind, alg), check: checkClaimgate }
}

async function startKnown(dir: string, kind: string, alg: Alg): Promise<Running> {
  const tokens = await getTokens()
  const headers = { origin: ORIGIN, authorization: `Bearer ${tokens[alg][0]}` }
  return startServer(dir, kind, tokens, { method: 'GET', path: '/data', headers })
}

async function startUnknown(dir: string, kind: string, alg: Alg): Promise<Running> {
  const tokens = await getTokens()
  let turn = 0
  const vary = () => {
    turn = (turn + 1) % tokens[alg].length
    return { authorization: `Bearer ${tokens[alg][turn]}` }
  }
  return startServer(dir, kind, tokens, { method: 'GET', path: '/data', headers: { origin: ORIGIN }, vary })
}

async function startServer(
  dir: string,
  kind: string,
  tokens: Tokens,
  request: LoadRequest,
): Promise<Running> {
  writeFileSync(join(dir, KEYS_FILE), JSON.stringify(tokens.keys))
  return { child: await startScript('peer-verify.ts', kind, dir), request }
}

let made: Promise<Tokens> | undefined

function getTokens(): Promise<Tokens> {
  made ??= makeTokens()
  return made
}

/** Rejects unless the server accepts the token. */
async function checkPass(running: Running): Promise<Response> {
  const { headers, vary } = running.request
  const response = await ask(running, { ...headers, ...vary?.() })
  const text = await response.text()
  if (response.status !== 200 || text !== 'ok') throw new Error(`answered ${response.status}: ${text}`)
  return response
}

/** Like `checkPass`. Also rejects when the server accepts a changed signature. */
async function checkGuard(running: Running): Promise<Response> {
  const response = await checkPass(running)
  const { headers, vary } = running.request
  const { authorization = '' } = { ...headers, ...vary?.() }
  const forged = authorization.replace(
    /\.(.)([^.]*)$/,
    (_, first, rest) => `.${first === 'A' ? 'B' : 'A'}${rest}`,
  )
  const refusal = await ask(running, { ...headers, authorization: forged })
  if (refusal.status !== 401) throw new Error(`answered ${refusal.status} to a forged token`)
  return response
}

/** Like `checkGuard`. Also rejects without CORS headers, or when another origin is accepted. */
async function checkClaimgate(running: Running): Promise<void> {
  const response = await checkGuard(running)
  if (response.headers.get('access-control-allow-origin') !== ORIGIN)
    throw new Error('answered without CORS headers')
  const { headers, vary } = running.request
  const elsewhere = await ask(running, { ...headers, ...vary?.(), origin: 'https://app.example.com' })
  const problem = await elsewhere.text()
  if (!problem.includes('"origin_mismatch"'))
    throw new Error(`did not refuse another origin with origin_mismatch: ${problem}`)
}

function ask({ child, request }: Running, headers: Readonly<Record<string, string>>): Promise<Response> {
  return fetch(child.url + request.path, { method: request.method, headers })
}
