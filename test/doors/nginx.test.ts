// Runs the cases behind a real nginx, whose auth_request asks a running claimgate. Verdict, code, status and challenge must
// be those of the middlewares, except that 401 replaces 400. nginx has one copy of the example's server block for each
// setup, selected by Host, with the setup's options in the query for claimgate. The service accepts the tokens of the cases,
// because it has the issuer's signing key.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatKeyFile } from '../../src/adapters/node/key-file.ts'
import { canConnect, findFreePort, listenFree } from '../support/ports.ts'
import { useServers } from '../support/server.ts'
import { sendToSocket } from '../support/wire.ts'
import { createAccount } from '../support/world.ts'
import { ask } from './ask.ts'
import {
  AUDIENCE,
  type Case,
  cases,
  fillTokens,
  ISSUER,
  PARTNER,
  type Setup,
  SITE,
  setups,
  type TokenName,
} from './cases.ts'
import { createIssuer, type Issuer } from './mint.ts'

/** The reason why a case cannot be run behind nginx; undefined when it can. */
function explainOmission({ setup: name, headers }: Case): string | undefined {
  const setup: Setup = setups[name]
  if (setup.authorize || setup.revocation) return 'functions cannot be given in a query'
  if (typeof headers.authorization === 'object') return 'nginx itself answers 400'
  if ('sec-fetch-site' in headers && headers.origin === undefined && setup.apiOrigin === undefined)
    return 'nginx always sends the origin of the API'
  return undefined
}

const askable = cases.filter((one) => explainOmission(one) === undefined)
const hasNginx = spawnSync('which', ['nginx']).status === 0

test('most cases can be run behind nginx', () => {
  expect(askable.length).toBeGreaterThan(cases.length * 0.85)
})

for (const one of cases) {
  const why = explainOmission(one)
  if (why !== undefined) test.skip(`${one.name} (${why})`)
}

describe.skipIf(!hasNginx)('behind nginx', () => {
  const servers = useServers()
  /** Claims of the tokens, set as soon as the account exists. */
  const ids = { sub: '', client_id: '' }
  let api: Server
  let nginx: ChildProcess
  let port: number
  let minted: Record<TokenName, string>

  beforeAll(async () => {
    const dir = servers.makeFolder()
    const issuer = await createSharedIssuer(join(dir, 'keys'), ids)
    const services = new Map<string, string>()
    const urls: Record<string, string> = {}
    for (const [name, setup] of Object.entries<Setup>(setups)) {
      const env = serviceEnvironment(setup)
      const key = JSON.stringify(env)
      const url = services.get(key) ?? (await servers.start({ dir, env })).url
      services.set(key, url)
      urls[name] = url
    }
    const url = urls.plain ?? ''
    const { account, credential } = await createAccount(
      { issuer: ISSUER, send: (wire) => sendToSocket(url, wire), stop: async () => {} },
      { name: 'A', allowedOrigins: [SITE, PARTNER], scopes: ['read', 'write'] },
    )
    Object.assign(ids, { sub: account.id, client_id: credential.clientId })
    minted = await issuer.mintAll()
    api = createServer(({ headers }, response) => {
      response.setHeader('x-api', 'reached')
      response.end(JSON.stringify({ sub: headers['x-claim-subject'] }))
    })
    const apiPort = await listenFree(api)
    port = await findFreePort()
    nginx = await startNginx(servers.makeFolder(), port, configure(port, apiPort, urls))
  })
  afterAll(async () => {
    nginx?.kill('SIGKILL')
    await new Promise((resolve) => (api ? api.close(resolve) : resolve(undefined)))
  })

  const askCase = ({ setup, path, headers, method }: Case) => {
    const filled = Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? fillTokens(value, minted) : value.map((one) => fillTokens(one, minted)),
    ])
    const url = `http://127.0.0.1:${port}/${fillTokens(path, minted)}`
    return ask(url, { host: setup, ...Object.fromEntries(filled) }, method)
  }

  test.each(askable)('$name', async (one) => {
    const { code, status, challenge, allows, wouldBlock, isPreflight } = one.expected
    const answer = await askCase(one)
    expect({
      status: answer.status,
      challenge: answer.header('www-authenticate'),
      wouldBlock: answer.header('claimgate-would-block'),
      api: answer.header('x-api'),
    }).toEqual({
      // Forward auth never answers 400, which nginx treats as an error of the service.
      status: status === 400 ? 401 : status,
      challenge,
      wouldBlock,
      api: code === undefined && !isPreflight ? 'reached' : undefined,
    })
    if (one.method === 'HEAD' || isPreflight) expect(answer.text).toBe('')
    else if (code === undefined) expect(JSON.parse(answer.text)).toEqual({ sub: ids.sub })
    else expect(JSON.parse(answer.text)).toMatchObject({ error: code, status: answer.status })
    // Forward auth has no option for CORS: the service allows the origins of its accounts, never all origins.
    if (one.setup !== 'open') expect(answer.header('access-control-allow-origin')).toBe(allows)
    for (const token of Object.values(minted)) expect(answer.text).not.toContain(token)
  })

  test.each(cases.filter(({ headers }) => typeof headers.authorization === 'object'))(
    'nginx itself refuses: $name',
    async (one) => {
      const answer = await askCase(one)
      expect([answer.status, answer.header('x-api')]).toEqual([400, undefined])
    },
  )
})

/** Creates an issuer and writes its signing key to a file in `folder`, where the service reads it. */
async function createSharedIssuer(folder: string, claims: Record<string, string>): Promise<Issuer> {
  const issuer = await createIssuer('jwks', claims)
  const { kid = '', ...jwk } = issuer.privateJwk ?? {}
  const now = Date.now()
  const life = { state: 'current', createdAt: now, currentSince: now, expiresAt: null } as const
  mkdirSync(folder, { mode: 0o700 })
  const text = formatKeyFile({ kid, alg: 'ES256', ...life, jwk })
  writeFileSync(join(folder, `${kid}.json`), text, { mode: 0o600 })
  return issuer
}

/** Variables of the service for a setup: client addresses are not configured in a query. nginx is one more hop. */
function serviceEnvironment({ trustedProxies, forwardedHeader = 'x-forwarded-for' }: Setup) {
  return {
    CLAIMGATE_ISSUER: ISSUER,
    CLAIMGATE_AUDIENCE: AUDIENCE,
    CLAIMGATE_TRUSTED_PROXIES: typeof trustedProxies === 'number' ? String(trustedProxies + 1) : 'loopback',
    CLAIMGATE_FORWARDED_HEADER: forwardedHeader,
  }
}

/** The example configuration, with one nginx server for each setup. */
function configure(port: number, apiPort: number, urls: Readonly<Record<string, string>>): string {
  const text = readFileSync(join(import.meta.dirname, '../examples/nginx.conf'), 'utf8')
  const start = text.indexOf('  server {\n    listen 8080;')
  const end = text.lastIndexOf('}')
  const blocks = Object.entries<Setup>(setups).map(([name, setup]) => {
    const query = writeQuery(setup)
    const block = substitute(text.slice(start, end), {
      'listen 8080;': `listen 127.0.0.1:${port};\n    server_name ${name};`,
      'http://claimgate/auth/verify?scope=read;': `${urls[name]}/auth/verify${query && `?${query}`};`,
    })
    // With `trustedProxies` nginx stands behind another proxy, whose address headers it extends instead of replacing.
    return setup.trustedProxies === undefined
      ? block
      : substitute(block, {
          'X-Forwarded-For $remote_addr;': 'X-Forwarded-For $proxy_add_x_forwarded_for;',
          'Forwarded "";': 'Forwarded $forwarded_chain;',
        })
  })
  const http = `http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  map $http_forwarded $forwarded_chain {
    default "$http_forwarded, for=$remote_addr";
    "" "for=$remote_addr";
  }`
  const head = substitute(text.slice(0, start), { 'http {': http, '127.0.0.1:3000': `127.0.0.1:${apiPort}` })
  return `${head}${blocks.join('\n')}}\n`
}

/** The options of a setup as the query string that an operator would write into the proxy's configuration. */
function writeQuery({ scope, missingOrigin, require, mode, apiOrigin, tokenSources }: Setup): string {
  const bounds = require?.length === 0 ? 'none' : require
  const options = { scope, missingOrigin, require: bounds, mode, apiOrigin, tokenSources }
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
}

/** Replaces every occurrence of each text, and fails when a text does not occur. */
function substitute(text: string, changes: Readonly<Record<string, string>>): string {
  return Object.entries(changes).reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`the example has no "${from}"`)
    return before.replaceAll(from, () => to)
  }, text)
}

async function startNginx(folder: string, port: number, text: string): Promise<ChildProcess> {
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, text)
  const directives = 'daemon off; master_process off; pid nginx.pid; error_log stderr;'
  const child = spawn('nginx', ['-p', folder, '-c', file, '-g', directives], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  for (let tries = 0; tries < 200 && child.exitCode === null; tries += 1) {
    if (await canConnect(port)) return child
    await sleep(50)
  }
  child.kill('SIGKILL')
  throw new Error(`nginx does not listen: ${said}`)
}
