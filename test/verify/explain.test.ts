// Explanations of verdicts in which each check fails in turn. The verdicts come from judgeRequest itself.

import { describe, expect, test } from 'vitest'
import type { Policy } from '../../src/claims/enforce.ts'
import { parseAddress } from '../../src/claims/ip.ts'
import { ok } from '../../src/lib/result.ts'
import { createEnforceKey } from '../../src/verify/dpop/enforce-key.ts'
import { explainVerdict, type StepOutcome } from '../../src/verify/explain.ts'
import { type JudgeDeps, judgeRequest, type Verdict } from '../../src/verify/judge.ts'
import { createPinnedKeys } from '../../src/verify/keys/pinned.ts'
import type { RequestLike } from '../../src/verify/request/extract.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { createVerifyToken } from '../../src/verify/verify.ts'
import { partsOf } from '../support/forge.ts'
import { bearerOf, createMint, now, RULES, requestWith, SITE } from '../support/mint.ts'
import type { Json } from '../support/wire.ts'

const STEPS = 'extract format signature claims revocation origin address key scope'.split(' ')
const JKT = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'

const mint = createMint('ES256')
const strange = createMint('ES256')
const keys = createPinnedKeys([mint.jwk], loadVerifier)

interface Row {
  readonly name: string
  /** The outcomes of all checks in their order, each by its first letter: pass, fail or skip. */
  readonly expect: string
  readonly code?: string
  readonly detail?: RegExp
  readonly request: RequestLike
  readonly policy?: Partial<Policy>
  readonly deps?: Partial<JudgeDeps>
  /** The client's address; default 192.0.2.7, and null for none. */
  readonly ip?: string | null
}

/** A valid request, except for these claims, request headers and members of the token's header. */
function ask(
  claims: Json = {},
  headers: Readonly<Record<string, string>> = {},
  header: Json = {},
): RequestLike {
  return bearerOf(mint.token(claims, header), headers)
}

async function judge({ request, policy = {}, deps = {}, ip = '192.0.2.7' }: Row) {
  const full: Policy = {
    ...{ issuer: RULES.issuer, audience: [RULES.audience], clockTolerance: 5 },
    ...{ missingOrigin: 'reject', require: [], scopes: [] },
    ...policy,
  }
  const judgeDeps: JudgeDeps = {
    policy: full,
    mode: 'enforce',
    sources: ['authorization'],
    apiOrigin: undefined,
    verifyToken: createVerifyToken(keys, full, 10),
    isRevoked: () => false,
    enforceKey: createEnforceKey({
      require: full.require,
      apiOrigin: () => 'https://api.example.com',
      verifyProof: () => ok({ jkt: JKT, jti: 'jti', iat: 1, id: 'id' }),
      useProof: () => undefined,
    }),
    authorize: undefined,
    ...deps,
  }
  const address = ip === null ? undefined : parseAddress(ip)
  const verdict: Verdict = await judgeRequest(judgeDeps, { request, address, now: Date.now() / 1000 })
  return { verdict, steps: explainVerdict(verdict, full) }
}

const everything = { ip: '192.0.2.0/24', cnf: { jkt: JKT }, scope: 'read write' }
const good = mint.token()
const [head, payload, signature] = partsOf(good)
const forgedSignature = partsOf(strange.token())[2]

const rows: readonly Row[] = [
  { name: 'a valid token that is bound to an origin only', expect: 'ppppppsss', request: ask() },
  { name: 'a valid token without any binding', expect: 'pppppssss', request: ask({ origin: undefined }) },
  {
    name: 'a valid token with every binding',
    expect: 'ppppppppp',
    request: ask(everything, { authorization: `DPoP ${mint.token(everything)}`, dpop: 'a proof' }),
    policy: { scopes: ['read'], require: ['origin', 'ip', 'key'] },
  },
  { name: 'no token', expect: 'fssssssss', code: 'missing_token', request: requestWith({ origin: SITE }) },
  {
    name: 'two tokens',
    expect: 'fssssssss',
    code: 'invalid_request',
    detail: /several Authorization/,
    request: requestWith({ authorization: `Bearer ${good}, Bearer ${good}` }),
  },
  ...[
    'garbage',
    'not a token',
    '',
    `${head}.${payload}`,
    `${good}.`,
    `${'x'.repeat(4097)}.${payload}.${signature}`,
  ].map(
    (text): Row => ({
      name: `a text that is not a token: ${text.slice(0, 20)}`,
      expect: 'pfsssssss',
      code: 'invalid_token',
      detail: /the text is not a token/,
      request: bearerOf(text),
    }),
  ),
  {
    name: 'another type',
    expect: 'pfsssssss',
    code: 'invalid_token',
    detail: /the text is not a token/,
    request: ask({}, {}, { typ: 'JWT' }),
  },
  {
    name: 'an unknown key',
    expect: 'pfsssssss',
    code: 'invalid_token',
    detail: /a key that this verifier does not know/,
    request: ask({}, {}, { kid: 'other' }),
  },
  {
    name: 'another algorithm',
    expect: 'pfsssssss',
    code: 'invalid_token',
    detail: /an algorithm that is not the one of its key/,
    request: ask({}, {}, { alg: 'HS256' }),
  },
  {
    name: 'the keys are not available',
    expect: 'ppfssssss',
    code: 'unavailable',
    detail: /keys are not available/,
    request: ask(),
    deps: {
      verifyToken: createVerifyToken(
        { get: () => undefined, load: async () => 'unavailable' },
        { ...RULES, audience: [], clockTolerance: 5, missingOrigin: 'reject', require: [], scopes: [] },
        0,
      ),
    },
  },
  {
    name: "somebody else's signature",
    expect: 'ppfssssss',
    code: 'invalid_token',
    detail: /^the signature was not made/,
    request: bearerOf(`${head}.${payload}.${forgedSignature}`),
  },
  {
    name: 'expired',
    expect: 'pppfsssss',
    code: 'token_expired',
    detail: /expired/,
    request: ask({ iat: now() - 100, exp: now() - 50 }),
  },
  {
    name: 'not yet valid',
    expect: 'pppfsssss',
    code: 'invalid_token',
    detail: /not valid yet/,
    request: ask({ iat: now() + 100 }),
  },
  {
    name: 'another issuer',
    expect: 'pppfsssss',
    code: 'invalid_token',
    detail: /another issuer/,
    request: ask({ iss: 'https://other.example' }),
  },
  {
    name: 'another audience',
    expect: 'pppfsssss',
    code: 'invalid_token',
    detail: /another audience/,
    request: ask({ aud: 'https://other.example' }),
  },
  {
    name: 'an invalid binding',
    expect: 'pppfsssss',
    code: 'invalid_token',
    detail: /^the token's claim "cnf" is missing or wrong$/,
    request: ask({ cnf: {} }),
  },
  {
    name: 'a claim that is missing',
    expect: 'pppfsssss',
    code: 'invalid_token',
    detail: /^the token's claim "jti" is missing or wrong$/,
    request: ask({ jti: undefined }),
  },
  {
    name: 'revoked',
    expect: 'ppppfssss',
    code: 'token_revoked',
    request: ask(),
    deps: { isRevoked: () => true },
  },
  {
    name: 'the revocation status is not known',
    expect: 'ppppfssss',
    code: 'unavailable',
    request: ask(),
    deps: { isRevoked: async () => 'unavailable' as const },
  },
  {
    name: 'another origin',
    expect: 'pppppfsss',
    code: 'origin_mismatch',
    request: ask({}, { origin: `${SITE}/` }),
  },
  {
    name: 'no origin',
    expect: 'pppppfsss',
    code: 'origin_required',
    request: requestWith({ authorization: `Bearer ${good}` }),
  },
  {
    name: 'a token without an origin, where one is required',
    expect: 'pppppfsss',
    code: 'origin_required',
    detail: /bound to no origin/,
    request: ask({ origin: undefined }),
    policy: { require: ['origin'] },
  },
  {
    name: 'another address',
    expect: 'ppppppfss',
    code: 'ip_mismatch',
    detail: /another address/,
    request: ask({ ip: '192.0.2.8' }),
  },
  {
    name: 'an unknown address, with a token that is bound to no origin',
    expect: 'pppppsfss',
    code: 'ip_mismatch',
    detail: /not known/,
    request: ask({ ip: '192.0.2.8', origin: undefined }),
    ip: null,
  },
  {
    name: 'a token without an address, where one is required',
    expect: 'ppppppfss',
    code: 'ip_mismatch',
    request: ask(),
    policy: { require: ['ip'] },
  },
  {
    name: 'a key-bound token sent as Bearer, bound to no address',
    expect: 'ppppppsfs',
    code: 'proof_required',
    request: ask({ cnf: { jkt: JKT } }),
  },
  {
    name: 'a wrong proof',
    expect: 'pppppppfs',
    code: 'invalid_proof',
    request: ask({}, { authorization: `DPoP ${mint.token(everything)}` }),
    deps: { enforceKey: () => ({ step: 'key', code: 'invalid_proof', detail: 'the proof is not right' }) },
  },
  {
    name: 'a token without a key sent as DPoP',
    expect: 'ppppppsfs',
    code: 'invalid_token',
    detail: /bound to no key: present it as Bearer/,
    request: ask({}, { authorization: `DPoP ${good}` }),
  },
  {
    name: 'a token without a key, where one is required',
    expect: 'ppppppsfs',
    code: 'proof_required',
    request: ask(),
    policy: { require: ['key'] },
  },
  {
    name: 'a scope is missing',
    expect: 'ppppppssf',
    code: 'insufficient_scope',
    request: ask({ scope: 'read' }),
    policy: { scopes: ['read', 'write'] },
  },
  {
    name: 'authorize returns false',
    expect: 'ppppppssf',
    code: 'insufficient_scope',
    detail: /does not authorize/,
    request: ask(),
    deps: { authorize: async () => false },
  },
]

describe('the explanation of a verdict', () => {
  test.each(rows)('$name', async (row) => {
    const { verdict, steps } = await judge(row)
    expect(letters(steps)).toBe(row.expect)
    expect(verdict.outcome).toBe(row.code === undefined ? 'allow' : 'deny')
    expectFault(row, steps)
  })

  const bounds = rows.filter((row) => row.code !== undefined && row.expect.indexOf('f') >= 5)
  test.each(bounds)('is the same in report mode, which lets the request pass: $name', async (row) => {
    const { verdict, steps } = await judge({ ...row, deps: { ...row.deps, mode: 'report' } })
    expect(verdict.outcome).toBe('would_block')
    expect(letters(steps)).toBe(row.expect)
    expectFault(row, steps)
  })

  const rest = rows.filter((row) => row.code !== undefined && row.expect.indexOf('f') < 5)
  test.each(rest)('is the same in report mode, which also refuses: $name', async (row) => {
    const { verdict, steps } = await judge({ ...row, deps: { ...row.deps, mode: 'report' } })
    expect(verdict.outcome).toBe('deny')
    expect(letters(steps)).toBe(row.expect)
  })

  test('is tested with a failure of each check, and without a failure', () => {
    expect(new Set(rows.map((row) => row.expect.indexOf('f')))).toEqual(new Set([-1, ...STEPS.keys()]))
  })
})

function letters(steps: readonly StepOutcome[]): string {
  expect(steps.map(({ step }) => step)).toEqual(STEPS)
  return steps.map(({ outcome }) => outcome[0]).join('')
}

/** Expects a code and a detail on the failed check only, and no value of the token in the detail. */
function expectFault(row: Row, steps: readonly StepOutcome[]): void {
  for (const step of steps) {
    const members = ['step', 'outcome', ...(step.outcome === 'fail' ? ['code', 'detail'] : [])]
    expect(Object.keys(step)).toEqual(members)
  }
  const failed = steps.find(({ outcome }) => outcome === 'fail')
  expect(failed?.code).toBe(row.code)
  if (failed === undefined) return
  expect(failed.detail).toMatch(row.detail ?? /^[a-z][^.]{20,}$/)
  for (const value of [SITE, RULES.issuer, RULES.audience, '192.0.2', JKT, 'acct_1', 'garbage'])
    expect(failed.detail).not.toContain(value)
}
