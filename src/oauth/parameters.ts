// The parameters of a token request: RFC 6749 section 4.4.2, RFC 8707, and claimgate's own `origin` and `ip`. The first fault
// is the answer. A bound that is sent empty is a fault: it must never turn into "no bound".

import { readCanonicalOrigin, readIpTexts, readScopeText, splitIpText } from '../claims/input/caller-text.ts'
import { type LifetimeLimits, standardLifetime } from '../claims/lifetime.ts'
import type { Problem } from '../http/problem.ts'
import type { TokenRequest } from '../issue/issue.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { type OAuthForm, readParameter } from './form.ts'

/** Limits of a token request. */
export interface ParameterRules {
  readonly lifetime: LifetimeLimits
  /** Audiences that `resource` may name. The token is then for those alone (RFC 8707 section 2.2). */
  readonly resources: readonly string[]
}

/** The request that a form makes, or the first fault in it. Its `jkt` is undefined, because the proof is checked later. */
export function parseTokenParameters(
  form: OAuthForm,
  { lifetime, resources }: ParameterRules,
): Result<TokenRequest, Problem> {
  const grantType = readParameter(form, 'grant_type')
  if (grantType === undefined) return invalid('grant_type is required; it is client_credentials')
  if (grantType !== 'client_credentials') {
    return invalid('the only grant_type here is client_credentials', 'unsupported_grant_type')
  }
  const scopes = readScopeText(readParameter(form, 'scope') ?? '')
  if (!scopes.ok) return invalid(`scope: ${scopes.reason}`, 'invalid_scope')
  const originText = form.values.get('origin')
  const origin = originText === undefined ? ok(undefined) : readCanonicalOrigin(originText)
  if (!origin.ok) return invalid(`origin: ${origin.reason}`)
  const ipText = form.values.get('ip')
  const ip = ipText === undefined ? ok([]) : readIpTexts(splitIpText(ipText))
  if (!ip.ok) return invalid(`ip: ${ip.reason}`)
  const audience = [...new Set(form.resources.filter((resource) => resource !== ''))]
  if (!audience.every((resource) => resources.includes(resource))) {
    return invalid('tokens are not issued for this resource', 'invalid_target')
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

function invalid(
  detail: string,
  dialectCode = 'invalid_request',
): { readonly ok: false; readonly reason: Problem } {
  return fail({ code: 'invalid_request', dialectCode, detail })
}
