// A verdict as a list of all checks: passed, failed or skipped. The outcomes are derived from the verdict, so that an
// explanation cannot disagree with the verifier. The token is read again only to explain a failure more exactly.

import { parseClaimsSet } from '../claims/claims-set.ts'
import type { ClaimErrorCode } from '../claims/codes.ts'
import { type Policy, type Reason, type Step, steps } from '../claims/enforce.ts'
import { type CompareContext, compareFailed } from './compare/refusal.ts'
import { decodeToken } from './format.ts'
import type { Verdict } from './judge.ts'

/** The outcome of one check. `skip`: an earlier check failed, or there was nothing to check. */
export interface StepOutcome {
  readonly step: Step
  readonly outcome: 'pass' | 'fail' | 'skip'
  /** Present only when the check failed. */
  readonly code?: ClaimErrorCode
  /**
   * One sentence for the operator, present only when the check failed. It can be more exact than the one that callers get,
   * and contains no value of the token.
   */
  readonly detail?: string
  /** What the failed rule expected. Present only in the result of {@link explainRequest}, as is `actual`. */
  readonly expected?: string
  /** What the rule got instead; null when there was no such value. */
  readonly actual?: string | null
}

/**
 * The outcome of every check, in order, with what the failed rule expected and got. Neither holds a token or a proof. Not
 * checked: whether a name or URL in them contains a secret of another kind.
 */
export async function explainRequest(
  verdict: Verdict,
  context: CompareContext,
): Promise<readonly StepOutcome[]> {
  const comparison = await compareFailed(verdict, context)
  return explainVerdict(verdict, context.policy).map((step) =>
    step.outcome === 'fail' && comparison !== undefined ? { ...step, ...comparison } : step,
  )
}

/** The outcome of every check, in order. A check that failed in report mode counts as failed, although the request passed. */
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
  'the text is not a token: it needs three base64url parts, the first with "typ": "at+jwt", and at most 4096 characters'
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
  return parsed === undefined || parsed.ok
    ? detail
    : `the token's claim "${parsed.reason}" is missing or wrong`
}
