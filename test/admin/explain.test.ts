// POST /admin/explain: what it accepts and answers, and that it changes nothing.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createExplain, parseExplainInput } from '../../src/admin/explain.ts'
import { createWhoamiJudge } from '../../src/service/verifier.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { createEnforceKey } from '../../src/verify/dpop/enforce-key.ts'
import { createMemoryUseProof, type UseProof } from '../../src/verify/dpop/use-proof.ts'
import { createProofVerifier } from '../../src/verify/dpop/verify-proof.ts'
import { type Judge, type JudgeDeps, judgeRequest } from '../../src/verify/judge.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { hashText } from '../../src/verify/runtime/sha256.ts'
import { createVerifyToken } from '../../src/verify/verify.ts'
import { createMaker, HTU, hashToken } from '../support/dpop-maker.ts'
import { createExplaining, type Explaining } from '../support/explaining.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { claimToken, createAccount, createWorld, payloadOf, SITE, type World } from '../support/world.ts'

const STEPS = 'extract format signature claims revocation origin address key scope'.split(' ')
const JKT = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'

let clock = Date.now()
let service: MemoryService
let world: World
let explaining: Explaining
let token: string
beforeAll(async () => {
  service = await startMemory({}, { now: () => clock })
  world = await createWorld(service)
  explaining = createExplaining(service)
  token = await claimToken(world)
})
afterAll(() => service?.stop())

/** The first letter of each step's outcome (pass, fail, skip), and the code: `pppppfsss origin_required`. */
async function lettersOf(body: object): Promise<string> {
  const { allowed, code, steps } = await explaining.explain(body)
  expect(steps.map(({ step }) => step)).toEqual(STEPS)
  expect(allowed).toBe(code === null)
  expect(steps.find(({ outcome }) => outcome === 'fail')?.code ?? null).toBe(code)
  return `${steps.map(({ outcome }) => outcome[0]).join('')} ${code}`
}

describe('the explanation', () => {
  test('of an accepted request is complete', async () => {
    const answer = await explaining.post({ token, origin: SITE })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json')
    const outcomes = ['pass', 'pass', 'pass', 'pass', 'pass', 'pass', 'skip', 'skip', 'skip']
    expect(answer.body).toEqual({
      allowed: true,
      code: null,
      steps: STEPS.map((step, index) => ({ step, outcome: outcomes[index] })),
    })
  })

  test('of a refused request is complete', async () => {
    const { body } = await explaining.post({ token, origin: 'https://evil.example' })
    expect(body).toEqual({
      allowed: false,
      code: 'origin_mismatch',
      steps: [
        ...STEPS.slice(0, 5).map((step) => ({ step, outcome: 'pass' })),
        {
          step: 'origin',
          outcome: 'fail',
          code: 'origin_mismatch',
          detail: expect.stringContaining('the token is bound to another origin'),
          expected: SITE,
          actual: 'https://evil.example',
        },
        ...STEPS.slice(6).map((step) => ({ step, outcome: 'skip' })),
      ],
    })
  })

  test.each<[name: string, body: (token: string) => Json, expected: string]>([
    ['no origin', (token) => ({ token }), 'pppppfsss origin_required'],
    ['origin null', (token) => ({ token, origin: null }), 'pppppfsss origin_required'],
    ...[
      '',
      'null',
      `${SITE}/`,
      `${SITE}:443`,
      SITE.toUpperCase(),
      `${SITE}, ${SITE}`,
      '\ud800',
      'é',
      'x\r\ny',
    ].map((origin): [string, (token: string) => Json, string] => [
      `the origin ${JSON.stringify(origin)}`,
      (token) => ({ token, origin }),
      'pppppfsss origin_mismatch',
    ]),
    [
      'blanks around the origin, which HTTP removes',
      (token) => ({ token, origin: ` ${SITE}\t` }),
      'ppppppsss null',
    ],
    ['blanks around the token', (token) => ({ token: `  ${token} \t`, origin: SITE }), 'ppppppsss null'],
    [
      'every member null except token and origin',
      (token) => ({ token, origin: SITE, ip: null, method: null, url: null, dpop: null }),
      'ppppppsss null',
    ],
    [
      'a proof for a token that is bound to no key',
      (token) => ({ token, origin: SITE, dpop: 'x' }),
      'ppppppsfs invalid_token',
    ],
    [
      'method and URL of another API',
      (token) => ({ token, origin: SITE, method: 'DELETE', url: 'https://api.example.com/a?token=x' }),
      'ppppppsss null',
    ],
    [
      'an address for a token that is bound to no address',
      (token) => ({ token, origin: SITE, ip: '2001:db8::1' }),
      'ppppppsss null',
    ],
    ...[
      '',
      ' ',
      'garbage',
      'not a JWT',
      'a b c',
      'é',
      '\ud800',
      'a\nb',
      '\0',
      'x'.repeat(8192),
      'a.b.c',
      '\t',
      'Bearer x',
      ',',
    ].map((text): [string, () => Json, string] => [
      `a text that is not a JWT: ${JSON.stringify(text.slice(0, 20))}`,
      () => ({ token: text, origin: SITE, dpop: text.length > 3 ? text : null }),
      'pfsssssss invalid_token',
    ]),
    [
      'a token inside a longer text',
      (token) => ({ token: `${token} ${token}`, origin: SITE }),
      'pfsssssss invalid_token',
    ],
    ['two tokens', (token) => ({ token: `${token}, ${token}`, origin: SITE }), 'pfsssssss invalid_token'],
    [
      'a token with a line end',
      (token) => ({ token: `${token}\n`, origin: SITE }),
      'pfsssssss invalid_token',
    ],
    ['a token after a tab', (token) => ({ token: `\t${token}`, origin: SITE }), 'pfsssssss invalid_token'],
    ['the account token', () => ({ token: world.token, origin: SITE }), 'pfsssssss invalid_token'],
  ])('of %s', async (_, body, expected) => {
    expect(await lettersOf(body(token))).toBe(expected)
  })

  test.each([
    ['203.0.113.9', 'pppppppss null'],
    ['::ffff:203.0.113.9', 'pppppppss null'],
    ['::ffff:cb00:7109', 'pppppppss null'],
    ['2001:DB8:0::1', 'pppppppss null'],
    ['203.0.113.10', 'ppppppfss ip_mismatch'],
    ['::1', 'ppppppfss ip_mismatch'],
    [undefined, 'ppppppfss ip_mismatch'],
  ])('of a token bound to addresses, from %s', async (ip, expected) => {
    const bound = await claimToken(world, { ip: ['203.0.113.9', '2001:db8::/64'] })
    expect(await lettersOf({ token: bound, origin: SITE, ip })).toBe(expected)
  })

  test('of a key-bound token sends it as Bearer without a proof and as DPoP with one', async () => {
    const bound = await claimToken(world, { jkt: JKT })
    expect(await lettersOf({ token: bound, origin: SITE })).toBe('ppppppsfs proof_required')
    expect(await lettersOf({ token: bound, origin: SITE, dpop: 'x' })).toBe('ppppppsfs invalid_proof')
    expect(await lettersOf({ token: bound, origin: SITE, dpop: '' })).toBe('ppppppsfs invalid_proof')
  })
})

describe('a body that is refused', () => {
  const wrong: readonly (readonly [body: Json, ...parameters: string[]])[] = [
    [{}, 'token'],
    [{ token: null }, 'token'],
    [{ token: 5 }, 'token'],
    [{ token: ['x'] }, 'token'],
    [{ token: 'x'.repeat(8193) }, 'token'],
    [{ token: 'x', origin: 5 }, 'origin'],
    [{ token: 'x', origin: [SITE] }, 'origin'],
    [{ token: 'x', origin: 'x'.repeat(2049) }, 'origin'],
    ...[
      '',
      ' ',
      'localhost',
      ' 10.0.0.1',
      '10.0.0.1 ',
      '10.0.0.0/8',
      '10.0.0.1:80',
      '[::1]',
      '010.0.0.1',
      'fe80::1%0',
      '1.2.3.4,5.6.7.8',
      5,
      ['1.2.3.4'],
      {},
    ].map((ip) => [{ token: 'x', ip }, 'ip'] as const),
    ...['', 'GET ', 'G T', 'GET\n', 'é', 5, ['GET']].map(
      (method) => [{ token: 'x', method }, 'method'] as const,
    ),
    ...[
      '',
      '/auth/whoami',
      'api.example.com',
      'ftp://x/',
      'ws://x/',
      'javascript:x',
      'https://',
      'https:///',
      'http://[x/',
      ' https://x/',
      5,
      {},
    ].map((url) => [{ token: 'x', url }, 'url'] as const),
    [{ token: 'x', url: `https://x/${'x'.repeat(2048)}` }, 'url'],
    [{ token: 'x', dpop: 5 }, 'dpop'],
    [{ token: 'x', dpop: 'x'.repeat(8193) }, 'dpop'],
    [{ token: 'x', headers: {} }, 'headers'],
    [{ token: 'x', Origin: SITE }, 'Origin'],
    [JSON.parse('{"token":"x","__proto__":{}}'), 'body'],
    [{ Token: 'x', ip: '', url: '' }, 'token', 'Token', 'ip', 'url'],
  ]
  test.each(wrong.map((row) => [JSON.stringify(row[0]).slice(0, 60), row] as const))('%s', async (_, row) => {
    const [body, ...parameters] = row
    const answer = await explaining.post(body)
    expect([answer.status, answer.body.error]).toEqual([422, 'invalid_request'])
    const errors: readonly { parameter: string; message: string }[] = answer.body.errors
    expect(errors.map(({ parameter }) => parameter).sort()).toEqual([...parameters].sort())
    for (const { message } of errors) expect(message).toMatch(/^(must|is) .{10,}$/)
  })

  test('is not repeated in the answer', async () => {
    const { body } = await explaining.post({
      token,
      [token]: 1,
      ip: token,
      method: `${token} `,
      url: token,
      dpop: 1,
    })
    expect(JSON.stringify(body)).not.toContain(token.slice(0, 20))
    expect(body.errors.length).toBeGreaterThan(3)
  })
})

describe('explaining leaves no trace', () => {
  test('in the database, which is only read', async () => {
    const calls: string[] = []
    const inner = createMemoryStorage()
    const storage = createCachedStorage(
      new Proxy(inner, {
        get(_target, name: keyof Storage) {
          calls.push(name)
          return inner[name]
        },
      }),
    )
    const running = await startMemory({ CLAIMGATE_MAX_TTL: '999999' }, { storage })
    const asked = await claimToken(await createWorld(running))
    calls.length = 0
    const answer = await running.send({
      method: 'POST',
      path: '/admin/explain',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ token: asked, origin: SITE }),
    })
    expect(answer.json().allowed).toBe(true)
    const reads: readonly string[] = ['findCredential', 'readRuleSeq', 'listRuleChanges']
    expect(calls.filter((name) => !reads.includes(name))).toEqual([])
    await running.stop()
  })

  test('in counts, records and logs', async () => {
    const before = await explaining.snapshot()
    expect(before).toContain(world.accountId)
    expect(before).toContain('claimgate_tokens_issued_total{door=\\"claim\\"}')
    for (const body of [
      { token, origin: SITE },
      { token },
      { token: 'x' },
      { token, origin: SITE, dpop: 'x' },
    ]) {
      await explaining.explain(body)
    }
    expect(await explaining.snapshot()).toBe(before)
  })

  test('in later verdicts of the same verifier', async () => {
    const judge = createWhoamiJudge(explaining.verifier)
    const present = async (text: string): Promise<string> => {
      const headers = new Headers({ authorization: `Bearer ${text}`, origin: SITE })
      const request = new Request(`${world.issuer}/auth/whoami`, { headers })
      const verdict = await judge({ request, address: undefined, now: clock / 1000 })
      return verdict.outcome === 'allow' ? 'allow' : verdict.reason.code
    }
    // Refused in the explanation because of its origin; the token itself is valid.
    const fresh = await claimToken(world)
    expect((await explaining.explain({ token: fresh, origin: 'https://evil.example' })).allowed).toBe(false)
    expect(await present(fresh)).toBe('allow')

    // Accepted in the explanation, and expired or ended afterwards.
    const short = await claimToken(world, { expiresIn: 10 })
    expect((await explaining.explain({ token: short, origin: SITE })).allowed).toBe(true)
    clock += 16_000
    expect(await present(short)).toBe('token_expired')
    expect((await explaining.explain({ token: short, origin: SITE })).code).toBe('token_expired')

    const account = await service.deps.storage.getAccount(world.accountId)
    if (account === undefined) throw new Error('the account is gone')
    const suspended = { ...account, status: 'suspended' as const, updatedAt: account.updatedAt + 1 }
    expect((await explaining.explain({ token: fresh, origin: SITE })).allowed).toBe(true)
    expect(await service.deps.storage.updateAccount(suspended, account.updatedAt, [])).toBe(true)
    expect(await present(fresh)).toBe('token_revoked')
    expect(await lettersOf({ token: fresh, origin: SITE })).toBe('ppppfssss token_revoked')
    expect(payloadOf(fresh).sub).toBe(world.accountId)
  })

  test('in the store of used proofs: a proof can be explained, used, and explained again', async () => {
    const useProof = createMemoryUseProof()
    const verifyProof = createProofVerifier({ loadVerifier, hashText })
    const { keyRing } = service.deps
    const policy = explaining.verifier.policy
    const createRealJudge = (rules: Pick<JudgeDeps, 'sources' | 'apiOrigin'>, use: UseProof): Judge => {
      const { require } = policy
      const apiOrigin = () => rules.apiOrigin
      const judgeDeps: JudgeDeps = {
        ...{ ...rules, policy, mode: 'enforce', authorize: undefined, isRevoked: () => false },
        verifyToken: createVerifyToken({ get: keyRing.find }, policy, 10),
        enforceKey: createEnforceKey({ require, apiOrigin, verifyProof, useProof: use }),
      }
      return (received) => judgeRequest(judgeDeps, received)
    }
    const explain = createExplain({
      ...explaining.verifier,
      createTrialJudge: (rules) => createRealJudge(rules, () => undefined),
      now: () => clock,
    })
    const maker = await createMaker('ES256')
    const account = await createAccount(service, { name: 'Bound', allowedOrigins: ['*'] })
    const bound = await claimToken({ ...world, token: account.credential.token }, { jkt: maker.jkt })
    const url = 'https://api.example.com/things?page=2'
    const headers = {
      authorization: `DPoP ${bound}`,
      origin: SITE,
      dpop: maker.proof({ htm: 'PUT', htu: HTU, iat: clock / 1000, ath: hashToken(bound) }),
    }
    const judge = createRealJudge({ sources: ['authorization'], apiOrigin: new URL(url).origin }, useProof)
    const present = async (): Promise<string> => {
      const request = { method: 'PUT', url, headers: new Headers(headers) }
      const verdict = await judge({ request, address: undefined, now: clock / 1000 })
      return verdict.outcome === 'allow' ? 'allow' : verdict.reason.code
    }
    const ask = async (more: object = {}): Promise<string | null> => {
      const given = { token: bound, origin: SITE, method: 'PUT', url, dpop: headers.dpop, ...more }
      const input = parseExplainInput(given)
      if (!input.ok) throw new Error('the input was refused')
      const { code, steps } = await explain(input.value)
      expect(steps[7]).toMatchObject({ step: 'key', outcome: code === null ? 'pass' : 'fail' })
      return code
    }
    expect([await ask(), await ask()]).toEqual([null, null])
    expect(await present()).toBe('allow')
    expect(await present()).toBe('invalid_proof')
    expect(await ask()).toBe(null)
    expect(await ask({ method: 'GET' })).toBe('invalid_proof')
    expect(await ask({ url: 'https://api.example.com/other' })).toBe('invalid_proof')
    expect(await ask({ url: undefined })).toBe('invalid_proof')
    expect(await ask({ dpop: `${headers.dpop}, ${headers.dpop}` })).toBe('invalid_proof')
    expect(await ask({ dpop: undefined })).toBe('proof_required')
  })
})
