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
import { commandName, renderFault, renderSources } from './output.ts'
import { addRevocationCommands } from './revoke.ts'
import { createShell, type Shell, type ShellSource } from './shell.ts'

/** What the program needs of its process. */
export interface ProgramSource extends ShellSource {
  /** Starts the server. Resolves when it listens; the server goes on running after `runProgram` has resolved. */
  readonly serve: () => Promise<void>
}

/**
 * Runs one command line (without node and script) and resolves with its exit code: 0, 1 for a command that failed, 2 for
 * a wrong command line. Never rejects. Does not set the process's exit code, and does not end the process.
 */
export async function runProgram(argv: readonly string[], source: ProgramSource): Promise<number> {
  const asJson = argv.includes('--json')
  const shell = createShell(source, asJson)
  try {
    await createProgram(shell, source.serve).parseAsync(argv, { from: 'user' })
    const sources = shell.namedSources()
    if (Object.keys(sources).length > 0) shell.printAside(renderSources(sources))
    return 0
  } catch (error) {
    const fault = error instanceof CommanderError ? toUsageFault(error) : error
    if (fault === undefined) return 0
    shell.printAside(renderFault(fault, asJson, shell.namedSources()))
    return fault instanceof CliError ? fault.exitCode : 1
  }
}

function createProgram(shell: Shell, startServer: ProgramSource['serve']): Command {
  const program = new Command('claimgate')
    .description(
      'Browser-safe tokens for an API. The commands work on the configured database and keys (environment and .env), with or without a running server.',
    )
    .version(readVersion())
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .exitOverride()
    .configureOutput({
      writeOut: shell.print,
      writeErr: shell.printAside,
      outputError: () => undefined,
    })
    .addHelpText('after', EXAMPLES)
  const serve = addJsonOption(program.command('serve'), 'accepted and ignored: log lines are always JSON')
    .description('start the server')
    .action(startServer)
  addExample(serve, 'serve')
  addAccountCommands(program, shell)
  addCredentialCommands(program, shell)
  addKeyCommands(program, shell)
  addRevocationCommands(program, shell)
  addAuditCommands(program, shell)
  addClaimCommand(program, shell)
  addInspectCommand(program, shell)
  addExplainCommand(program, shell)
  addDoctorCommand(program, shell)
  return program
}

const EXAMPLES = `
Examples:
  $ ${commandName} account create --name "Shop" --origin https://shop.example --token-file shop.token
  $ ${commandName} claim --origin https://shop.example --token-file shop.token
  $ ${commandName} inspect <jwt>`

/** Converts an error of commander. Undefined when commander has only printed the requested help or version. */
function toUsageFault(error: CommanderError): CliError | undefined {
  if (error.exitCode === 0) return undefined
  // Commander has printed the help already.
  if (error.code === 'commander.help') return usageError('a command is missing')
  return usageError(`${error.message.replace(/^error: /, '')}\nsee: ${commandName} --help`)
}

function readVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
