// `explain`: shows step by step why the service's verifier refuses a token, or that it allows it. Runs the admin API's
// operation on the configured database and keys, changes nothing in them, and prints no part of the token.

import type { Command } from 'commander'
import { createExplain, parseExplainInput } from '../admin/explain.ts'
import type { ClaimErrorCode } from '../claims/codes.ts'
import { problemAdvice } from '../http/advice.ts'
import type { StepOutcome } from '../verify/explain.ts'
import { acceptInput } from './fault.ts'
import { readConfig } from './open.ts'
import { addExample, addJsonOption, onceOption } from './options.ts'
import { commandName, warnOfUnknownPort } from './output.ts'
import type { Shell } from './shell.ts'
import { type Emphasis, renderTable } from './table.ts'
import { withVerifier } from './verifier.ts'

interface ExplainOptions {
  readonly origin?: string
  readonly ip?: string
  readonly method?: string
  readonly url?: string
  readonly dpop?: string
  readonly json?: boolean
}

/** Adds `explain` to the program. */
export function addExplainCommand(program: Command, shell: Shell): void {
  const explain = addJsonOption(program.command('explain'))
    .description('show why a browser token is refused, or that it is allowed; changes nothing')
    .argument('<jwt>', 'the token, or - to read it from stdin')
    .addOption(onceOption('--origin <origin>', 'the header Origin of the request (default: none)'))
    .addOption(onceOption('--ip <address>', "the client's address (default: unknown)"))
    .addOption(onceOption('--method <name>', 'the method (default: GET)'))
    .addOption(onceOption('--url <url>', 'the URL of the request (default: /auth/whoami of the issuer)'))
    .addOption(onceOption('--dpop <proof>', 'the header DPoP of the request (default: none)'))
    .addHelpText('after', '\nThe exit code is 0 for an allowed token and for a refused one.')
    .action((token, options) => explainToken(shell, token, options))
  addExample(explain, 'explain - --origin https://shop.example --ip 203.0.113.7', 'echo "$TOKEN" | ')
}

async function explainToken(
  shell: Shell,
  argument: string,
  { json = false, ...request }: ExplainOptions,
): Promise<void> {
  const config = readConfig(shell)
  const token = argument === '-' ? await shell.readLine('token') : argument
  const input = acceptInput(parseExplainInput({ ...request, token }))
  warnOfUnknownPort(shell, config)
  const explanation = await withVerifier(
    shell,
    config,
    ({ createTrialJudge, policy, facts, serviceOrigin }) =>
      createExplain({ createTrialJudge, policy, facts, serviceOrigin, now: Date.now })(input),
  )
  if (json) shell.printJson(explanation)
  else shell.print(renderVerdict(explanation.steps, explanation.code, shell.bold))
}

/**
 * The verifier's steps as a table, what the failed rule expected and got, and one line with the decision. `code` is why it
 * refuses; null when it allows.
 */
export function renderVerdict(
  steps: readonly StepOutcome[],
  code: ClaimErrorCode | null,
  bold: Emphasis,
): string {
  const rows = steps.map(({ step, outcome, code, detail }) => [
    step,
    outcome === 'fail' ? 'FAIL' : outcome,
    code === undefined ? '' : `${code}: ${detail}`,
  ])
  const failed = steps.find(({ expected }) => expected !== undefined)
  const sides =
    failed?.expected === undefined
      ? ''
      : `${renderTable([
          ['expected', failed.expected],
          ['actual', failed.actual ?? 'none'],
        ])}\n`
  const decision = code === null ? bold('allowed') : `${bold(`refused: ${code}`)}: ${renderAdvice(code)}`
  return `${renderTable([['STEP', 'OUTCOME', 'WHY'], ...rows], bold)}\n${sides}${decision}\n`
}

/** The command that helps to find the cause, by code. */
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
