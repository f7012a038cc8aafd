// The parameters of a token request (RFC 6749 section 4.4.2, RFC 8707, and our own bounds `origin` and `ip`), each
// against its rule, first fault wins. A bound that is sent empty is a fault: it must never turn into "no bound".

import { MAX_IP_LENGTH, readIpTexts, readOriginText, readScopeText } from '../claims/caller-text.ts'
import { splitIpList } from '../claims/ip.ts'
import { type LifetimeLimits, standardLifetime } from '../claims/lifetime.ts'
import type { Problem } from '../http/problem.ts'
import type { TokenRequest } from '../issue/issue.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { type OAuthForm, readParameter } from './form.ts'

/** What bounds a token request. */
export interface ParameterRules {
  readonly lifetime: LifetimeLimits
  /** What `resource` may name, and a token is then for alone (RFC 8707 section 2.2). */
  readonly resources: readonly string[]
}

/** The request that this form makes, bound to no key yet, or the first fault in it. */
export function parseTokenParameters(
  form: OAuthForm,
  { lifetime, resources }: ParameterRules,
): Result<TokenRequest, Problem> {
  const grantType = readParameter(form, 'grant_type')
  if (grantType === undefined) return refuse('grant_type is required; it is client_credentials')
  if (grantType !== 'client_credentials') {
    return refuse('the only grant_type here is client_credentials', 'unsupported_grant_type')
  }
  const scopes = readScopeText(readParameter(form, 'scope') ?? '')
  if (!scopes.ok) return refuse(`scope: ${scopes.reason}`, 'invalid_scope')
  const origin = readOrigin(form.values.get('origin'))
  if (!origin.ok) return refuse(`origin: ${origin.reason}`)
  const ip = readIp(form.values.get('ip'))
  if (!ip.ok) return refuse(`ip: ${ip.reason}`)
  const audience = [...new Set(form.resources.filter((resource) => resource !== ''))]
  if (!audience.every((resource) => resources.includes(resource))) {
    return refuse('tokens are not issued for this resource', 'invalid_target')
  }
  return ok({
    origin: origin.value,
    ip: ip.value,
    lifetimeSeconds: standardLifetime(lifetime),
    scopes: scopes.value,
    jkt: undefined,
    ...(audience.length > 0 && { audience }),
  })
}

function refuse(
  detail: string,
  dialectCode = 'invalid_request',
): { readonly ok: false; readonly reason: Problem } {
  return fail({ code: 'invalid_request', dialectCode, detail })
}

function readOrigin(value: string | undefined): Result<string | undefined, string> {
  if (value === undefined) return ok(undefined)
  const parsed = readOriginText(value)
  return parsed.ok ? ok(parsed.value.origin) : parsed
}

function readIp(value: string | undefined): Result<readonly string[], string> {
  if (value === undefined) return ok([])
  const ranges = readIpTexts(value.length > MAX_IP_LENGTH ? [value] : splitIpList(value))
  return ranges.ok ? ok(ranges.value.map((range) => range.text)) : ranges
}
