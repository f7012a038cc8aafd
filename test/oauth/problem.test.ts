// The OAuth error code of each of the service's own codes.

import { describe, expect, test } from 'vitest'
import { type Problem, type ProblemCode, problems } from '../../src/http/problem.ts'
import { formatOAuthProblem } from '../../src/oauth/problem.ts'

const format = (problem: Problem) => formatOAuthProblem(problem, 'https://auth.example.com/docs', 'id')

const spelled: Partial<Record<ProblemCode, readonly [number, string]>> = {
  unauthorized: [401, 'invalid_client'],
  origin_not_allowed: [400, 'invalid_target'],
  scope_not_allowed: [400, 'invalid_scope'],
  secret_in_browser: [400, 'unauthorized_client'],
  method_not_allowed: [405, 'invalid_request'],
  request_timeout: [408, 'invalid_request'],
  payload_too_large: [413, 'invalid_request'],
  rate_limited: [429, 'rate_limited'],
  invalid_proof: [400, 'invalid_dpop_proof'],
  internal: [500, 'server_error'],
  bad_gateway: [502, 'server_error'],
  unavailable: [503, 'temporarily_unavailable'],
  gateway_timeout: [504, 'server_error'],
}

test.each(Object.keys(problems) as ProblemCode[])('%s', (code) => {
  const [status, error] = spelled[code] ?? [400, 'invalid_request']
  const refusal = format({ code, detail: 'what is wrong', headers: { 'retry-after': '7' } })
  expect([refusal.status, refusal.code]).toEqual([status, error])
  expect(JSON.parse(refusal.body)).toEqual({
    error,
    error_description: 'what is wrong',
    error_uri: `https://auth.example.com/docs#${code}`,
  })
  expect(refusal.headers).toEqual({
    'content-type': 'application/json',
    'retry-after': '7',
    ...(status === 401 && { 'www-authenticate': 'Basic realm="claimgate"' }),
  })
})

test('a dialectCode replaces the code of the table', () => {
  const refusal = format({ code: 'invalid_request', dialectCode: 'unsupported_grant_type', detail: 'x' })
  expect([refusal.status, refusal.code, JSON.parse(refusal.body).error]).toEqual([
    400,
    'unsupported_grant_type',
    'unsupported_grant_type',
  ])
})

describe('error_description', () => {
  test.each([
    ['a "quoted" word', "a 'quoted' word"],
    ['back\\slash', "back'slash"],
    ['line\r\nbreak', "line''break"],
    ['café', "caf'"],
    ['all ! # $ [ ] ~ others', 'all ! # $ [ ] ~ others'],
  ])('%j', (detail, shown) => {
    expect(JSON.parse(format({ code: 'invalid_request', detail }).body).error_description).toBe(shown)
  })
})
