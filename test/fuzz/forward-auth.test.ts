// Sends headers that contradict each other to forward auth, from a trusted proxy and from an untrusted peer. Without a valid
// token only a preflight may pass. FUZZ_SEED repeats a run, see fuzz.ts.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isPreflight } from '../../src/verify/middleware/cors.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN, type RunningServer, useServers } from '../support/server.ts'
import { sendToSocket, type Target, type WireAnswer, type WireRequest } from '../support/wire.ts'
import { claimToken, createWorld, SITE, type World } from '../support/world.ts'
import { expectNoEcho, expectSound } from './answers.ts'
import { fuzz } from './fuzz.ts'

const among = (texts: string): fc.Arbitrary<string> => fc.constantFrom(...texts.split('|'))

const method = among('OPTIONS|OPTIONS|GET|POST|HEAD|DELETE')
const path = fc.oneof(
  { weight: 6, arbitrary: fc.constant('/auth/verify') },
  {
    weight: 2,
    arbitrary: among('/auth/verify/|/auth/verify/orders|/auth/verify/a%2fb|/auth/verify//|/auth/verify/;x'),
  },
  {
    weight: 1,
    arbitrary: among('//auth/verify|/auth/verify%2f|/auth/%76erify|/AUTH/verify|/auth/verify/auth/verify'),
  },
)
const option = fc.oneof(
  among(
    'scope=read|scope=|require=none|require=origin|require=ip,key|require=|require=none&require=ip|missingOrigin=allow',
  ),
  among(
    'missingOrigin=reject|mode=report|mode=|tokenSources=query|tokenSources=|apiOrigin=https://api.example|tickets=on',
  ),
  among(
    'audience=http://127.0.0.1:8787|audience=|token=<<garbage>>|__proto__=x|constructor|%6dode=report|MODE=report|a=b',
  ),
)
const query = fc.oneof(
  fc.constant(''),
  fc.array(option, { maxLength: 3 }).map((options) => `?${options.join('&')}`),
)

const methodValue = among(
  'OPTIONS|OPTIONS|OPTIONS|GET|options|OPTIONS,OPTIONS|OPTIONS, GET| OPTIONS|"OPTIONS"||\xff|OPTIONS\tx',
)
const uriValue = among(
  '/orders|/|//|/orders?mode=report|/orders?missingOrigin=allow&require=none|*|orders||/\xff|/a b|/?token=x',
)
const originValue = among(
  `${SITE}|${SITE}|${SITE}|${SITE}|${SITE}|${SITE}|${SITE}|${SITE}|null|${SITE}/|${SITE},${SITE}|HTTPS://WWW.EXAMPLE.COM|https://||*|a b|app://.|\xff`,
)
const requestMethod = among('GET|GET|GET|PUT|PUT|PATCH||GET,PUT|G ET|"GET"|\xff|get|*')
/** A header field: one line in nine of ten cases, otherwise none, one or two lines. */
const field = (name: string, value: fc.Arbitrary<string>) =>
  fc
    .oneof(
      { weight: 9, arbitrary: value.map((one) => [one]) },
      { weight: 1, arbitrary: fc.array(value, { maxLength: 2 }) },
    )
    .map((values): readonly [string, readonly string[]] => [name, values])
const proxyHeaders = fc.array(
  fc.oneof(
    field('x-original-method', methodValue),
    field('x-forwarded-method', methodValue),
    field('x-original-uri', uriValue),
    field('x-forwarded-uri', uriValue),
    field('x-original-url', uriValue),
    field('x-forwarded-host', among('api.example|api.example,evil.example|%|a b|u@h|127.0.0.1:8787|')),
    field('x-forwarded-proto', among('https|http|https,http|ftp|')),
    field('x-forwarded-for', among('203.0.113.9|127.0.0.1|1,2,3|127.0.0.1:80|[::1]:443|"|\xff|')),
    field(
      'forwarded',
      among('for=127.0.0.1;proto=https;host=api.example|for="[::1]:80"|for="|for=_x, for=unknown|;;'),
    ),
    field('x-http-method-override', methodValue),
    field('x-claim-subject', among('acct_root|')),
    field('sec-fetch-site', among('same-origin|cross-site|none|same-origin,same-origin')),
    field('access-control-request-headers', among('authorization|*|\xff')),
    field('access-control-request-private-network', among('true')),
    field('sec-websocket-protocol', among('claimgate, <<garbage>>|claimgate|claimgate,')),
    field('dpop', among('a.b.c|')),
  ),
  { maxLength: 4 },
)
const bothMethods = fc.tuple(
  field('x-original-method', methodValue),
  field('x-forwarded-method', methodValue),
)
const described = fc.oneof(fc.constant([]), bothMethods, proxyHeaders)
const preflightParts = fc.tuple(
  fc.option(field('origin', originValue), { nil: undefined, freq: 6 }),
  fc.option(field('access-control-request-method', requestMethod), { nil: undefined, freq: 4 }),
)
const credential = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: among(
      'Bearer <<garbage>>|Bearer <<altered>>|Bearer <<account>>|Bearer <<admin>>|DPoP <<altered>>|Bearer',
    ),
  },
)
const question = fc
  .record({ method, path, query, described, preflightParts, credential, inClientHeader: fc.boolean() })
  .map(({ method, path, query, described, preflightParts, credential, inClientHeader }) => {
    const fields = [...described, ...preflightParts.filter((one) => one !== undefined)]
    const headers: Record<string, readonly string[]> = Object.fromEntries(fields)
    if (credential !== undefined && inClientHeader)
      headers['x-client-token'] = [credential.replace(/^\w+ ?/, '')]
    else if (credential !== undefined) headers.authorization = [credential]
    return { method, path: path + query, headers } satisfies WireRequest
  })
type Question = typeof question extends fc.Arbitrary<infer T> ? T : never

/** Headers (without `x-`) in which a proxy describes the original request. */
const ORIGINAL_HEADERS = [
  'original-method',
  'original-uri',
  'forwarded-method',
  'forwarded-uri',
  'forwarded-host',
]

/**
 * Whether the request may pass without a token: the original request that a trusted proxy describes is a preflight, or
 * an untrusted peer sends a preflight itself and describes no other request.
 */
function mayPass({ method, headers }: Question, isTrusted: boolean): boolean {
  const read = (name: string): string | null => {
    const lines = headers[name] ?? []
    return lines.length === 0 ? null : lines.map((line) => line.trim()).join(', ')
  }
  if (!isTrusted && ORIGINAL_HEADERS.some((name) => read(`x-${name}`) !== null)) return false
  const named = [read('x-original-method'), read('x-forwarded-method')].filter((one) => one !== null)
  const [original = method, ...others] = new Set(named)
  return others.length === 0 && isPreflight({ method: original, url: '/', headers: { get: read } })
}

const servers = useServers()
const TRUSTING = { CLAIMGATE_TRUSTED_PROXIES: 'loopback', CLAIMGATE_RATE_LIMIT: 'off' } as const
let server: RunningServer
let memory: MemoryService
beforeAll(async () => {
  server = await servers.start({ env: { DATABASE_URL: 'memory:', ...TRUSTING } })
})

const kinds = [
  ['a trusted proxy', TRUSTING],
  ['an untrusted peer', { CLAIMGATE_RATE_LIMIT: 'off' }],
] as const
describe.each(kinds)('from %s', (kind, env) => {
  let world: World
  let good: string
  let altered: string
  let realTarget: Target
  beforeAll(async () => {
    memory = await startMemory({ ...env, CLAIMGATE_LOG: 'debug' })
    world = await createWorld(memory)
    good = await claimToken(world)
    altered = `${good.slice(0, -8)}${good.endsWith('AAAAAAAA') ? 'BBBBBBBB' : 'AAAAAAAA'}`
    realTarget = {
      issuer: server.url,
      send: (request) => sendToSocket(server.url, request),
      stop: async () => undefined,
    }
  })
  afterAll(() => memory.stop())

  function plant(asked: Question): Question {
    const replace = (text: string): string =>
      text
        .replaceAll('<<garbage>>', 'x.y.z')
        .replaceAll('<<altered>>', altered)
        .replaceAll('<<account>>', world.token)
        .replaceAll('<<admin>>', ADMIN_TOKEN)
    const headers = Object.entries(asked.headers).map(([name, values]) => [name, values.map(replace)])
    return { ...asked, path: replace(asked.path), headers: Object.fromEntries(headers) }
  }

  function expectRefused(answer: WireAnswer, asked: Question): void {
    expectSound(answer, asked)
    expect(answer.status).not.toBe(400)
    expectNoEcho([answer.text, ...answer.headers.values()], [altered, world.token, ADMIN_TOKEN])
    if (answer.status >= 300) return
    expect(mayPass(asked, env === TRUSTING), `${answer.status} to ${JSON.stringify(asked)}`).toBe(true)
    expect([...answer.headers.keys()].filter((name) => name.startsWith('x-claim-'))).toEqual([])
  }

  test('without a valid token only a preflight passes', { timeout: 60_000 }, async () => {
    let passed = 0
    let preflights = 0
    await fuzz(`forward auth from ${kind}`, 1200, question, async (generated, watch) => {
      const asked = plant(generated)
      const linesBefore = memory.lines.length
      const answer = await watch.time(() => memory.send(asked))
      expectRefused(answer, asked)
      expectNoEcho(memory.lines.slice(linesBefore), [altered, world.token, ADMIN_TOKEN])
      if (answer.status < 300) preflights += 1
      if (env === TRUSTING) expectRefused(await realTarget.send(asked), asked)
      const { 'x-client-token': _, ...headers } = asked.headers
      const withToken = { ...asked, headers: { ...headers, authorization: [`Bearer ${good}`] } }
      const withAnswer = await memory.send(withToken)
      expectSound(withAnswer, withToken)
      if (withAnswer.headers.has('x-claim-subject')) passed += 1
    })
    // The generator must also produce requests that pass, otherwise this test would show little.
    expect(preflights).toBeGreaterThan(0)
    expect(passed).toBeGreaterThan(0)
    expect(server.child.exitCode, server.stderr()).toBeNull()
    expect((await realTarget.send({ method: 'GET', path: '/healthz' })).status).toBe(200)
  })
})
