// `explain`: why the service's verifier refuses a token, step by step, or that it does not. The admin API's operation
// on the configured records and keys; changes none of them, makes none, and prints nothing of the token.

import type { Command } from 'commander'
import { createExplain, parseExplainInput } from '../admin/explain.ts'
import { acceptInput } from './fault.ts'
import { readConfig } from './open.ts'
import { addExample, addJsonOption, onceOption } from './options.ts'
import { print, printJson, warnOfUnknownPort } from './output.ts'
import { readStdinLine } from './stdin.ts'
import { renderVerdict } from './verdict-text.ts'
import { withVerifier } from './verifier.ts'

interface ExplainOptions {
  readonly origin?: string
  readonly ip?: string
  readonly method?: string
  readonly url?: string
  readonly dpop?: string
  readonly json?: boolean
}

/** Adds the command to the program. */
export function addExplainCommand(program: Command): void {
  const explain = addJsonOption(program.command('explain'))
    .description('show why a browser token is refused, or that it is not; counts as no use of it')
    .argument('<jwt>', 'the token, or - to read it from stdin')
    .addOption(onceOption('--origin <origin>', 'the header Origin of the request (none)'))
    .addOption(onceOption('--ip <address>', "the client's address (none is known)"))
    .addOption(onceOption('--method <name>', 'the method (GET)'))
    .addOption(onceOption('--url <url>', 'what is asked for (/auth/whoami of the issuer)'))
    .addOption(onceOption('--dpop <proof>', 'the header DPoP of the request (none)'))
    .addHelpText('after', '\nThe exit code is 0 whether it is allowed or refused, once that is known.')
    .action(explainToken)
  addExample(explain, 'explain - --origin https://shop.example --ip 203.0.113.7', 'echo "$TOKEN" | ')
}

async function explainToken(argument: string, { json = false, ...request }: ExplainOptions): Promise<void> {
  const config = readConfig()
  const token = argument === '-' ? await readStdinLine('token') : argument
  const input = acceptInput(parseExplainInput({ ...request, token }))
  warnOfUnknownPort(config, json)
  const explanation = await withVerifier(config, ({ createTrialJudge, policy, serviceOrigin }) =>
    createExplain({ createTrialJudge, policy, serviceOrigin, now: Date.now })(input),
  )
  if (json) printJson(explanation)
  else print(renderVerdict(explanation.steps, explanation.code))
}
