// A verdict as the list of all steps: what passed, what failed, what there was nothing to judge in.
// Reads the verdict that the verifier gave; judges nothing itself, so the two cannot disagree.

import { parseClaimsSet } from '../claims/claims-set.ts'
import type { ClaimErrorCode } from '../claims/codes.ts'
import { type Policy, type Reason, type Step, steps } from '../claims/enforce.ts'
import { decodeToken } from './format.ts'
import type { Verdict } from './judge.ts'

/** What became of one step. `skip`: never reached, or there is no such bound. */
export interface StepOutcome {
  readonly step: Step
  readonly outcome: 'pass' | 'fail' | 'skip'
  /** Only where it failed. */
  readonly code?: ClaimErrorCode
  /** One sentence for the operator, who may know more than the caller is told. Names no value of the token. */
  readonly detail?: string
}

/** Every step in order. What report mode let pass is a failed step too: nothing behind it was judged. */
export function explainVerdict(verdict: Verdict, policy: Policy): readonly StepOutcome[] {
  const reason = verdict.outcome === 'allow' ? undefined : verdict.reason
  const failedAt = reason === undefined ? steps.length : steps.indexOf(reason.step)
  return steps.map((step, index): StepOutcome => {
    if (index === failedAt && reason !== undefined) {
      return { step, outcome: 'fail', code: reason.code, detail: detailOf(reason, verdict) }
    }
    return { step, outcome: index < failedAt && hasMatter(step, verdict, policy) ? 'pass' : 'skip' }
  })
}

/** Whether a step that did not fail had anything to judge. */
function hasMatter(step: Step, { parsed }: Verdict, policy: Policy): boolean {
  if (parsed === undefined) return true
  if (step === 'origin') return parsed.claims.origin !== undefined
  if (step === 'address') return parsed.ranges !== undefined
  if (step === 'key') return parsed.claims.cnf !== undefined
  return step !== 'scope' || policy.scopes.length > 0
}

const NO_TOKEN =
  'the text is no token of this kind: three base64url parts, JSON with "typ": "at+jwt" in the first, at most 4096 characters'
const UNKNOWN_KEY = 'the token names a key that is not known here, or another algorithm than that of its key'
const OTHER_SIGNATURE = 'the signature was not made by the key that the token names'

/** Callers get one sentence for whatever is wrong with a token's form, key or signature; here it is told apart. */
function detailOf({ step, code, detail }: Reason, verdict: Verdict): string {
  const token = verdict.outcome === 'deny' ? verdict.presented?.token : undefined
  if (token === undefined || code !== 'invalid_token') return detail
  if (step === 'signature') return OTHER_SIGNATURE
  const decoded = decodeToken(token)
  if (step === 'format') return decoded === undefined ? NO_TOKEN : UNKNOWN_KEY
  const parsed = step === 'claims' && decoded ? parseClaimsSet(decoded.payload) : undefined
  return parsed === undefined || parsed.ok ? detail : `its claim "${parsed.reason}" is missing or wrong`
}
