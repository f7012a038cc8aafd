// A verifier's verdict as text for a person: every step, and what to do about the one that failed.

import type { ClaimErrorCode } from '../claims/codes.ts'
import type { StepOutcome } from '../verify/explain.ts'
import { bold, commandName } from './output.ts'
import { renderTable } from './table.ts'

/** The steps as a table, and one line with the decision. `code`: why it is refused, null when it is not. */
export function renderVerdict(steps: readonly StepOutcome[], code: ClaimErrorCode | null): string {
  const rows = steps.map(({ step, outcome, code, detail }) => [
    step,
    outcome === 'fail' ? 'FAIL' : outcome,
    code === undefined ? '' : `${code}: ${detail}`,
  ])
  const decision = code === null ? bold('allowed') : `${bold(`refused: ${code}`)}: ${ADVICE[code]}`
  return `${renderTable([['STEP', 'OUTCOME', 'WHY'], ...rows], bold)}\n${decision}\n`
}

const ADVICE: Readonly<Record<ClaimErrorCode, string>> = {
  invalid_request: 'send one token, in one place',
  missing_token: 'send a token, in "Authorization: Bearer"',
  invalid_token: `claim another one; was it made by this issuer, with these keys? see: ${commandName} inspect`,
  token_expired: 'claim another one',
  token_revoked: `claim another one, once account and credential are in force; see: ${commandName} account show <id>`,
  origin_required: 'ask from a page on the origin of the token, so that the browser sends it',
  origin_mismatch: 'claim one for this origin, or use it from a page on its own',
  ip_mismatch: `use it from the address it was claimed for; which one counts behind a proxy is shown by: ${commandName} doctor`,
  proof_required: 'send it as "Authorization: DPoP" with a proof by its key in the header DPoP',
  invalid_proof: 'make a new proof for this token, method and URL',
  rate_limited: 'wait: its key made very many requests in the last minutes',
  insufficient_scope: 'claim one with the scope that is asked for',
  unavailable: 'try again, the database or the keys could not be read',
}
