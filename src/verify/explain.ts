// A verdict as a list of all checks: passed, failed or skipped. It is derived from the verdict and repeats no check, so
// that an explanation cannot disagree with the verifier.

import { parseClaimsSet } from '../claims/claims-set.ts'
import type { ClaimErrorCode } from '../claims/codes.ts'
import { type Policy, type Reason, type Step, steps } from '../claims/enforce.ts'
import { decodeToken } from './format.ts'
import type { Verdict } from './judge.ts'

/** The outcome of one check. `skip`: an earlier check failed, or the token has nothing for this one to check. */
export interface StepOutcome {
  readonly step: Step
  readonly outcome: 'pass' | 'fail' | 'skip'
  /** Present only when the check failed. */
  readonly code?: ClaimErrorCode
  /** One sentence for the operator, more exact than the one that callers get. Contains no value of the token. */
  readonly detail?: string
}

/** The outcome of every check, in their order. A check that report mode did not enforce counts as failed. */
export function explainVerdict(verdict: Verdict, policy: Policy): readonly StepOutcome[] {
  const reason = verdict.outcome === 'allow' ? undefined : verdict.reason
  const failedAt = reason === undefined ? steps.length : steps.indexOf(reason.step)
  return steps.map((step, index): StepOutcome => {
    if (index === failedAt && reason !== undefined) {
      return { step, outcome: 'fail', code: reason.code, detail: detailOf(reason, verdict) }
    }
    return { step, outcome: index < failedAt && isApplicable(step, verdict, policy) ? 'pass' : 'skip' }
  })
}

/** Whether a step before the failed one had anything to check. */
function isApplicable(step: Step, { parsed }: Verdict, policy: Policy): boolean {
  if (parsed === undefined) return true
  if (step === 'origin') return parsed.claims.origin !== undefined
  if (step === 'address') return parsed.ranges !== undefined
  if (step === 'key') return parsed.claims.cnf !== undefined
  return step !== 'scope' || policy.scopes.length > 0
}

const NO_TOKEN =
  'the text is not a token of this kind: three base64url parts, JSON with "typ": "at+jwt" in the first, at most 4096 characters'
const UNKNOWN_KEY =
  'the token names a key that this verifier does not know, or an algorithm that is not the one of its key'
const WRONG_SIGNATURE = 'the signature was not made by the key that the token names'

/** Callers get the same sentence for every fault of format, key and signature; the operator gets the exact one. */
function detailOf({ step, code, detail }: Reason, verdict: Verdict): string {
  const token = verdict.outcome === 'deny' ? verdict.presented?.token : undefined
  if (token === undefined || code !== 'invalid_token') return detail
  if (step === 'signature') return WRONG_SIGNATURE
  const decoded = decodeToken(token)
  if (step === 'format') return decoded === undefined ? NO_TOKEN : UNKNOWN_KEY
  const parsed = step === 'claims' && decoded ? parseClaimsSet(decoded.payload) : undefined
  return parsed === undefined || parsed.ok ? detail : `its claim "${parsed.reason}" is missing or wrong`
}
