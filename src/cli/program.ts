// The tree of commands, and the one place where a command's failure becomes a message and an exit code.

import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { addAccountCommands } from './account.ts'
import { addAuditCommands } from './audit.ts'
import { addClaimCommand } from './claim.ts'
import { addCredentialCommands } from './credential.ts'
import { addDoctorCommand } from './doctor.ts'
import { addExplainCommand } from './explain.ts'
import { CliError, usageError } from './fault.ts'
import { addInspectCommand } from './inspect.ts'
import { addKeyCommands } from './key.ts'
import { addExample, addJsonOption } from './options.ts'
import { commandName, printFault } from './output.ts'
import { addRevokeCommand } from './revoke.ts'

/**
 * Runs one command line (without node and script). Failures set the process's exit code: 1, or 2 when the command
 * line itself is wrong. Resolves when the command is done; `serve` goes on serving.
 */
export async function runProgram(argv: readonly string[]): Promise<void> {
  // A reader such as `head` may close the pipe early; that is no fault of the command.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  try {
    await createProgram().parseAsync(argv, { from: 'user' })
  } catch (error) {
    const fault = error instanceof CommanderError ? toUsageFault(error) : error
    if (fault === undefined) return
    printFault(fault, argv.includes('--json'))
    process.exitCode = fault instanceof CliError ? fault.exitCode : 1
  }
}

function createProgram(): Command {
  const program = new Command('claimgate')
    .description(
      'Browser-safe tokens for an API. The commands work on the configured database and keys (environment and .env), with or without a running server.',
    )
    .version(readVersion())
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', EXAMPLES)
  const serve = addJsonOption(program.command('serve'), 'its log lines are JSON in any case')
    .description('start the server')
    .action(async () => {
      await import('../node.ts')
    })
  addExample(serve, 'serve')
  addAccountCommands(program)
  addCredentialCommands(program)
  addKeyCommands(program)
  addRevokeCommand(program)
  addAuditCommands(program)
  addClaimCommand(program)
  addInspectCommand(program)
  addExplainCommand(program)
  addDoctorCommand(program)
  return program
}

const EXAMPLES = `
Examples:
  $ ${commandName} account create --name "Shop" --origin https://shop.example --token-file shop.token
  $ ${commandName} claim --origin https://shop.example --token-file shop.token
  $ ${commandName} inspect <jwt>`

/** Undefined where help or the version was asked for: that was printed already. */
function toUsageFault(error: CommanderError): CliError | undefined {
  if (error.exitCode === 0) return undefined
  // The help is on the screen then.
  if (error.code === 'commander.help') return usageError('a command is missing')
  return usageError(`${error.message.replace(/^error: /, '')}\nsee: ${commandName} --help`)
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
