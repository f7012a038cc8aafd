// Texts that several commands print, warnings about the configuration, and failures as text. A last filter removes
// secrets from every failure, because a user may type a secret in the wrong place of a command line.

import { describeStartFault } from '../adapters/node/environment.ts'
import { findOpenFolder } from '../adapters/node/key-files.ts'
import { type Config, ConfigError } from '../config/config.ts'
import { removeCredentials } from '../http/credential-text.ts'
import type { ParameterFault } from '../http/problem.ts'
import { SigningKeysError } from '../signing/errors.ts'
import { StorageError } from '../storage/errors.ts'
import { CliError } from './fault.ts'
import { escapeControls, type NamedSources, type Shell } from './shell.ts'
import { toPlainText } from './table.ts'

export { commandName } from '../adapters/node/banner.ts'

/** When a change takes effect in running servers, which read the database themselves. */
export const IN_FORCE = 'in force in running servers within 2 seconds'

/** Warns when PORT is 0 and CLAIMGATE_ISSUER is not set: only a running server knows the port in its issuer. */
export function warnOfUnknownPort(shell: Shell, { port, issuerGiven }: Config): void {
  if (port === 0 && !issuerGiven) shell.printWarning(UNKNOWN_PORT)
}

/** Warns when group or others may write to the folder of the signing keys, if that is where they are. */
export function warnOfOpenFolder(shell: Shell, { database, keysDir }: Config): void {
  const openness = database.kind === 'postgres' ? undefined : findOpenFolder(keysDir)
  if (openness !== undefined) shell.printWarning(openness)
}

const UNKNOWN_PORT =
  'PORT is 0, so the port in the issuer is not known here; set CLAIMGATE_ISSUER (example: CLAIMGATE_ISSUER=http://127.0.0.1:8787)'

/** What a command that succeeded has read, as one JSON document on one line. */
export function renderSources(sources: NamedSources): string {
  return `${escapeControls(JSON.stringify(sources))}\n`
}

/**
 * A failure as the text for stderr: lines for a person, or one JSON document, which also has the members of `sources`.
 * Holds no account token and no JWT.
 */
export function renderFault(error: unknown, asJson: boolean, sources: NamedSources): string {
  const { code, message, errors } = describeFault(error)
  if (asJson) {
    const { database, keysFolder } = sources
    const body = {
      error: code,
      message: removeCredentials(message),
      ...(errors && { errors }),
      database,
      keysFolder,
    }
    return `${escapeControls(JSON.stringify(body))}\n`
  }
  const lines = [`claimgate: ${message}`]
  for (const fault of errors ?? [])
    lines.push(`  ${FLAGS[fault.parameter.split('.')[0] ?? ''] ?? fault.parameter}: ${fault.message}`)
  return `${removeCredentials(lines.join('\n')).split('\n').map(toPlainText).join('\n')}\n`
}

/** The option for each parameter of the API. A parameter in a list (`scopes.0`) has the option of the list. */
const FLAGS: Readonly<Record<string, string>> = {
  name: '--name',
  allowedOrigins: '--origin',
  scopes: '--scope',
  maxTtl: '--max-ttl',
  origin: '--origin',
  ip: '--ip',
  expiresIn: '--expires-in',
  scope: '--scope',
  jkt: '--jkt',
  limit: '--limit',
  cursor: '--cursor',
  expiresAt: '--expires',
  jwks: '--jwks-file',
  overlap: '--overlap',
  jti: '--jti',
  clientId: '--client',
  sub: '--account',
  kid: '--kid',
  issuedBefore: '--before',
  token: '<jwt>',
  method: '--method',
  url: '--url',
  dpop: '--dpop',
}

interface FaultText {
  readonly code: string
  readonly message: string
  readonly errors?: readonly ParameterFault[] | undefined
}

function describeFault(error: unknown): FaultText {
  if (error instanceof CliError) return error
  if (error instanceof ConfigError) {
    const errors = error.problems.map(({ variable, problem, example }) => {
      return { parameter: variable, message: `${problem} (example: ${example})` }
    })
    return {
      code: 'invalid_configuration',
      message: 'the configuration cannot be used; correct the environment or .env',
      errors,
    }
  }
  const message = describeStartFault(error).trim()
  const isAway = error instanceof StorageError || error instanceof SigningKeysError
  return { code: isAway ? 'unavailable' : 'internal', message }
}
