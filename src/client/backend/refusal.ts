// A refusal of the issuer as the error that the backend's developer sees: problem+json (RFC 9457) or the shape of
// RFC 6749 section 5.2, on one line. What repeats a secret is left out.

import type { JsonObject } from '../../lib/json.ts'
import type { IssuerAnswer } from './ask-issuer.ts'
import { ClaimRequestError } from './error.ts'

const MAX_DETAIL = 1000

/** The error of an answer that is no token. `secrets` are what its text must not repeat. */
export function toRequestError(answer: IssuerAnswer, secrets: readonly string[]): ClaimRequestError {
  const { status, body = {}, retryAfter } = answer
  if (status < 400) {
    return new ClaimRequestError('bad_gateway', 502, `the issuer answered ${status} without a token`)
  }
  const code = typeof body.error === 'string' && /^\w{1,40}$/.test(body.error) ? body.error : 'bad_gateway'
  const detail = describe(body)
  if (secrets.some((secret) => `${code} ${detail}`.includes(secret))) {
    return new ClaimRequestError('bad_gateway', status, `the issuer answered ${status}`, retryAfter)
  }
  const message = `the issuer answered ${status} ${code}${detail && `: ${detail.slice(0, MAX_DETAIL)}`}`
  return new ClaimRequestError(code, status, message, retryAfter)
}

/** What a refusal says, every parameter at fault included. */
function describe({ detail, error_description: description, errors }: JsonObject): string {
  const faults = (Array.isArray(errors) ? errors : [])
    .filter((fault) => typeof fault?.parameter === 'string' && typeof fault.message === 'string')
    .map(({ parameter, message }) => `${parameter} ${message}`)
  const texts = [detail ?? description, ...faults].filter((text) => typeof text === 'string')
  return texts.join('; ').replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
}
