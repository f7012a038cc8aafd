// A verdict as the list of all steps: what passed, what failed, what there was nothing to judge in.
// Reads the verdict that the verifier gave; judges nothing itself, so the two cannot disagree.

import type { ClaimErrorCode } from '../claims/codes.ts'
import { type Policy, type Step, steps } from '../claims/enforce.ts'
import type { Verdict } from './judge.ts'

/** What became of one step. `skip`: never reached, or the token carries no such bound. */
export interface StepOutcome {
  readonly step: Step
  readonly outcome: 'pass' | 'fail' | 'skip'
  readonly code?: ClaimErrorCode
  readonly detail?: string
}

/** Every step in order. */
export function explainVerdict(verdict: Verdict, policy: Policy): readonly StepOutcome[] {
  const reason = verdict.outcome === 'allow' ? undefined : verdict.reason
  const failedAt = reason === undefined ? steps.length : steps.indexOf(reason.step)
  return steps.map((step, index): StepOutcome => {
    if (index === failedAt && reason !== undefined) {
      return { step, outcome: 'fail', code: reason.code, detail: reason.detail }
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
