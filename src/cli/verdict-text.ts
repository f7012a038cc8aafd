// A verifier's verdict as text for a person: every step, and what to do about the one that failed.

import type { ClaimErrorCode } from '../claims/codes.ts'
import { problemAdvice } from '../http/advice.ts'
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
  const decision = code === null ? bold('allowed') : `${bold(`refused: ${code}`)}: ${renderAdvice(code)}`
  return `${renderTable([['STEP', 'OUTCOME', 'WHY'], ...rows], bold)}\n${decision}\n`
}

/** A command that helps to find the cause. */
const COMMANDS: Readonly<Partial<Record<ClaimErrorCode, string>>> = {
  invalid_token: 'inspect',
  token_revoked: 'account show <id>',
  ip_mismatch: 'doctor',
}

function renderAdvice(code: ClaimErrorCode): string {
  const command = COMMANDS[code]
  const advice = problemAdvice[code].replaceAll('`', '"')
  return command === undefined ? advice : `${advice} See: ${commandName} ${command}`
}
