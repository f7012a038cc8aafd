import { describe, expect, test } from 'vitest'
import { parseClaimsSet } from '../../src/claims/claims-set.ts'
import {
  enforceAddress,
  enforceClaims,
  enforceOrigin,
  enforceScope,
  enforceTime,
  type Policy,
} from '../../src/claims/enforce.ts'
import { parseAddress } from '../../src/claims/ip.ts'

const policy: Policy = {
  issuer: 'https://issuer.example',
  audience: ['https://api.example', 'b'],
  clockTolerance: 5,
  missingOrigin: 'reject',
  require: [],
  scopes: [],
}

function parsed(more: object = {}) {
  const result = parseClaimsSet({
    iss: 'https://issuer.example',
    aud: 'https://api.example',
    sub: 's',
    client_id: 'c',
    jti: 'j',
    iat: 1000,
    exp: 2000,
    ...more,
  })
  if (!result.ok) throw new Error(result.reason)
  return result.value
}

describe('time: a token is valid from iat and nbf on, until just before exp', () => {
  test.each([
    [1000, undefined],
    [994.9, 'invalid_token'],
    [995, undefined],
    [2004.9, undefined],
    [2005, 'token_expired'],
    [9e9, 'token_expired'],
  ])('at %d: %s', (now, code) => {
    expect(enforceTime(parsed().claims, 5, now)?.code).toBe(code)
  })

  test('without clock tolerance', () => {
    expect(enforceTime(parsed().claims, 0, 1999.9)).toBeUndefined()
    expect(enforceTime(parsed().claims, 0, 2000)?.code).toBe('token_expired')
  })

  test('nbf', () => {
    expect(enforceTime(parsed({ nbf: 1500 }).claims, 5, 1494)?.code).toBe('invalid_token')
    expect(enforceTime(parsed({ nbf: 1500 }).claims, 5, 1495)).toBeUndefined()
  })
})

describe('issuer and audience', () => {
  test.each([
    [{}, undefined],
    [{ aud: ['x', 'b'] }, undefined],
    [{ aud: 'x' }, 'invalid_token'],
    [{ aud: ['https://api.example/'] }, 'invalid_token'],
    [{ iss: 'https://issuer.example/' }, 'invalid_token'],
    [{ iss: 'https://ISSUER.example' }, 'invalid_token'],
  ])('%j: %s', (more, code) => {
    expect(enforceClaims(parsed(more), policy, 1500)?.code).toBe(code)
  })
})

describe('origin', () => {
  const bound = parsed({ origin: 'https://a.example' }).claims
  test.each([
    ['https://a.example', undefined],
    [null, 'origin_required'],
    ['', 'origin_mismatch'],
    ['null', 'origin_mismatch'],
    ['https://A.example', 'origin_mismatch'],
    ['https://a.example:443', 'origin_mismatch'],
    ['http://a.example', 'origin_mismatch'],
  ])('%j: %s', (origin, code) => {
    expect(enforceOrigin(bound, policy, origin)?.code).toBe(code)
  })

  test('missingOrigin: allow accepts an absent origin but not a wrong one', () => {
    const lenient: Policy = { ...policy, missingOrigin: 'allow' }
    expect(enforceOrigin(bound, lenient, null)).toBeUndefined()
    expect(enforceOrigin(bound, lenient, 'https://b.example')?.code).toBe('origin_mismatch')
  })

  test('a token without an origin claim passes unless the policy requires one', () => {
    expect(enforceOrigin(parsed().claims, policy, null)).toBeUndefined()
    const strict: Policy = { ...policy, require: ['origin'] }
    expect(enforceOrigin(parsed().claims, strict, 'https://a.example')?.code).toBe('origin_required')
  })
})

describe('address', () => {
  const bound = parsed({ ip: ['10.0.0.0/8', '2001:db8::1'] })
  test.each([
    ['10.1.2.3', undefined],
    ['2001:db8::1', undefined],
    ['::ffff:10.1.2.3', undefined],
    ['11.0.0.1', 'ip_mismatch'],
    ['2001:db8::2', 'ip_mismatch'],
    ['', 'ip_mismatch'],
  ])('%s: %s', (text, code) => {
    expect(enforceAddress(bound, policy, parseAddress(text))?.code).toBe(code)
  })

  test('a token without an ip claim passes unless the policy requires one', () => {
    expect(enforceAddress(parsed(), policy, undefined)).toBeUndefined()
    expect(enforceAddress(parsed(), { ...policy, require: ['ip'] }, undefined)?.code).toBe('ip_mismatch')
  })
})

test.each([
  [[], undefined],
  [['read'], undefined],
  [['write', 'read'], undefined],
  [['admin'], 'insufficient_scope'],
  [['rea'], 'insufficient_scope'],
])('scopes %j: %s', (needed, code) => {
  expect(enforceScope(['read', 'write'], needed)?.code).toBe(code)
})

test('a missing scope is named, and all that are needed are in the challenge', () => {
  expect(enforceScope(['read'], ['read', 'admin', 'write'])).toEqual({
    step: 'scope',
    code: 'insufficient_scope',
    detail: 'the token lacks the scopes admin write',
    scope: 'read admin write',
  })
})
