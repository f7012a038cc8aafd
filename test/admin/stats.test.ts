// GET /admin/stats: what a running service counts, and that /metrics agrees.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createStatsPaths } from '../../src/admin/stats.ts'
import type { Route } from '../../src/http/context.ts'
import { createMetrics, type Metrics } from '../../src/http/metrics.ts'
import { createServe } from '../../src/http/serve.ts'
import { createExplaining } from '../support/explaining.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import type { Json, WireRequest } from '../support/wire.ts'
import { claimRequest, claimToken, createWorld, SITE, type World } from '../support/world.ts'

const NOTHING = { issued: 0, verified: 0, refused: {}, wouldBlock: {} }

/** The answer of the handler for these metrics. */
async function ask(metrics: Metrics, service: MemoryService): Promise<Json> {
  const { config, log, now } = service.deps
  const serve = createServe({ ...config, docs: '', now, log, metrics: createMetrics(), logsRequests: false })
  const route = createStatsPaths({ metrics })['/admin/stats'] as Route
  const answer = await serve(route, new Request(`${config.issuer}/admin/stats`), '127.0.0.1')
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json'])
  return answer.json()
}

/** Samples of /metrics by name and labels, without zeros. */
async function readMetrics(metrics: Metrics): Promise<Readonly<Record<string, number>>> {
  const lines = (await metrics.render())
    .split('\n')
    .filter((line) => /^claimgate_(?!request|staleness)/.test(line))
  const samples = lines.map((line): [string, number] => {
    const at = line.lastIndexOf(' ')
    return [line.slice('claimgate_'.length, at), Number(line.slice(at + 1))]
  })
  return Object.fromEntries(samples.filter(([, value]) => value !== 0))
}

let service: MemoryService
let world: World
beforeAll(async () => {
  service = await startMemory({ CLAIMGATE_TRUSTED_PROXIES: 'loopback', CLAIMGATE_RATE_LIMIT: '100/60' })
  world = await createWorld(service)
})
afterAll(() => service?.stop())

describe('a running service', () => {
  test('starts with all counts at zero', async () => {
    expect(await ask(service.deps.metrics, service)).toEqual(NOTHING)
    expect(await readMetrics(service.deps.metrics)).toEqual({})
  })

  test('counts each answer once, and separately the refusals that report mode lets pass', async () => {
    const token = await claimToken(world)
    const bound = await claimToken(world, { ip: '192.0.2.1' })
    const claim = (body: object, extra: Partial<WireRequest> = {}) =>
      claimRequest({ token: world.token, origin: SITE, ...body }, extra)
    const present = (
      path: string,
      text: string,
      headers: Record<string, string> = { origin: SITE },
    ): WireRequest => ({
      method: 'GET',
      path,
      headers: { authorization: `Bearer ${text}`, ...headers },
    })
    const requests: readonly (readonly [times: number, status: number, request: WireRequest])[] = [
      // An issuing endpoint: claims in addition to the two above, and each kind of refusal.
      [1, 200, { ...claim({}), path: '/api/auth/claim' }],
      [2, 401, claim({ token: world.wrong })],
      [1, 422, claim({ ip: '' })],
      [1, 400, claim({}, { body: '{' })],
      [1, 403, claim({ origin: 'https://evil.example' })],
      [1, 403, claim({}, { headers: { 'content-type': 'application/json', origin: SITE } })],
      [1, 405, { method: 'PUT', path: '/auth/claim' }],
      [1, 204, { method: 'OPTIONS', path: '/auth/claim' }],
      // The verifier, at both of its endpoints.
      [3, 200, present('/auth/whoami', token)],
      [2, 401, present('/auth/whoami', token, {})],
      [1, 401, present('/auth/whoami', 'garbage')],
      [1, 401, { method: 'GET', path: '/auth/whoami' }],
      [
        1,
        204,
        {
          method: 'OPTIONS',
          path: '/auth/whoami',
          headers: { origin: SITE, 'access-control-request-method': 'GET' },
        },
      ],
      [1, 200, present('/auth/verify', token)],
      [1, 401, present('/auth/verify', bound)],
      // Report mode: a broken bound passes, other faults do not.
      [2, 200, present('/auth/verify?mode=report', bound)],
      [1, 200, present('/auth/verify?mode=report', token, { origin: 'https://evil.example' })],
      [1, 200, present('/auth/verify?mode=report', token)],
      [1, 401, present('/auth/verify?mode=report', 'garbage')],
      // None of these is an issuing endpoint or a verifier.
      [1, 404, { method: 'GET', path: '/nowhere' }],
      [1, 401, { method: 'GET', path: '/admin/stats' }],
      [1, 200, { method: 'GET', path: '/.well-known/jwks.json' }],
    ]
    for (const [times, status, request] of requests) {
      for (let sent = 0; sent < times; sent += 1) {
        expect((await world.send(request)).status, JSON.stringify(request)).toBe(status)
      }
    }
    const stats = {
      issued: 3,
      verified: 5,
      refused: {
        unauthorized: 2,
        invalid_request: 2,
        origin_not_allowed: 1,
        secret_in_browser: 1,
        method_not_allowed: 1,
        origin_required: 2,
        invalid_token: 2,
        missing_token: 1,
        ip_mismatch: 1,
      },
      wouldBlock: { ip_mismatch: 2, origin_mismatch: 1 },
    }
    expect(await ask(service.deps.metrics, service)).toEqual(stats)
    expect(await readMetrics(service.deps.metrics)).toEqual({
      admin_refused_total: 1,
      'tokens_issued_total{door="claim"}': 3,
      'secret_in_browser_total{door="claim"}': 1,
      'refusals_total{door="claim",code="unauthorized"}': 2,
      'refusals_total{door="claim",code="invalid_request"}': 2,
      'refusals_total{door="claim",code="origin_not_allowed"}': 1,
      'refusals_total{door="claim",code="secret_in_browser"}': 1,
      'refusals_total{door="claim",code="method_not_allowed"}': 1,
      'verifications_total{outcome="allow",code=""}': 5,
      'verifications_total{outcome="deny",code="origin_required"}': 2,
      'verifications_total{outcome="deny",code="invalid_token"}': 2,
      'verifications_total{outcome="deny",code="missing_token"}': 1,
      'verifications_total{outcome="deny",code="ip_mismatch"}': 1,
      'verifications_total{outcome="would_block",code="ip_mismatch"}': 2,
      'verifications_total{outcome="would_block",code="origin_mismatch"}': 1,
    })

    const { explain } = createExplaining(service)
    for (const asked of [{ token, origin: SITE }, { token }, { token: bound, origin: SITE }])
      await explain(asked)
    expect(await ask(service.deps.metrics, service)).toEqual(stats)
  })
})

describe('totals', () => {
  test('add up all endpoints, and a code that endpoints and the verifier share', async () => {
    const metrics = createMetrics()
    metrics.countIssued('claim')
    metrics.countIssued('oauth')
    metrics.countIssued('oauth')
    metrics.countRefused('claim', 'invalid_request')
    metrics.countRefused('oauth', 'invalid_request')
    metrics.countRefused('oauth', 'invalid_client')
    metrics.countVerification('deny', 'invalid_request')
    metrics.countVerification('would_block', 'invalid_proof')
    metrics.countVerification('allow', '')
    metrics.countSecretInBrowser('claim')
    metrics.observeRequest('claim', 401, 0.1)
    metrics.setUp('database', false)
    expect(await ask(metrics, service)).toEqual({
      issued: 3,
      verified: 1,
      refused: { invalid_request: 3, invalid_client: 1 },
      wouldBlock: { invalid_proof: 1 },
    })
    expect(await metrics.readTotals()).toEqual(await metrics.readTotals())
  })

  test('belong to one service, and another service counts separately', async () => {
    const [one, another] = [createMetrics(), createMetrics()]
    one.countIssued('claim')
    expect((await another.readTotals()).issued).toBe(0)
    expect(await ask(another, service)).toEqual(NOTHING)
  })
})
