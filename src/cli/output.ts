// What the commands print: results on stdout, everything else on stderr. Whatever becomes a message passes a last
// guard, so that no error repeats a secret that stood in the wrong place of a command line.

import { describeStartFault } from '../adapters/node/environment.ts'
import { findOpenFolder } from '../adapters/node/key-files.ts'
import { type Config, ConfigError } from '../config/config.ts'
import { removeCredentials } from '../http/credential-text.ts'
import type { ParameterFault } from '../http/problem.ts'
import { SigningKeysError } from '../signing/errors.ts'
import { StorageError } from '../storage/errors.ts'
import { CliError } from './fault.ts'
import { type Emphasis, toPlainText } from './table.ts'

/** How a person calls this program: from the repository, or installed. */
export const commandName: string = import.meta.url.endsWith('.ts')
  ? 'npm run -s claimgate --'
  : 'npx claimgate'

const isColoured = process.stdout.isTTY && !process.env.NO_COLOR

/** What is said of a change that running servers must learn of: they look by themselves. */
export const IN_FORCE = 'in force in running servers within 2 seconds'

/** Bold where stdout is a terminal that may be coloured (NO_COLOR is not set). */
export const bold: Emphasis = (text) => (isColoured ? `\x1b[1m${text}\x1b[22m` : text)

/** Prints text on stdout as it is. */
export function print(text: string): void {
  process.stdout.write(text)
}

/** Prints text on stderr as it is: what accompanies a result. */
export function printAside(text: string): void {
  process.stderr.write(text)
}

/** Prints one JSON document on one line of stdout. */
export function printJson(value: unknown): void {
  print(`${escapeControls(JSON.stringify(value))}\n`)
}

/** A new credential as a JSON document: without its secret when a file keeps that. */
export function concealSecret(credential: object, tokenFile: string | undefined): object {
  if (tokenFile === undefined) return credential
  return { ...credential, token: undefined, clientSecret: undefined }
}

/** Prints on stderr what is odd about a result, for a person or as one JSON document. */
export function printWarning(message: string, asJson: boolean): void {
  printAside(asJson ? `${JSON.stringify({ warning: message })}\n` : `claimgate: ${message}\n`)
}

/** Warns where a token would name, or is expected to name, an issuer that no server has. */
export function warnOfUnknownPort({ port, issuerGiven }: Config, asJson: boolean): void {
  if (port === 0 && !issuerGiven) printWarning(UNKNOWN_PORT, asJson)
}

/** Warns when group or others may write the folder of the signing keys. */
export function warnOfOpenFolder({ keysDir }: Config, asJson: boolean): void {
  const openness = findOpenFolder(keysDir)
  if (openness !== undefined) printWarning(openness, asJson)
}

const UNKNOWN_PORT =
  'PORT is 0, so the port in the issuer is not known here; set CLAIMGATE_ISSUER (example: CLAIMGATE_ISSUER=http://127.0.0.1:8787)'

/** Prints a failure on stderr, for a person or as one JSON document. */
export function printFault(error: unknown, asJson: boolean): void {
  const { code, message, errors } = describeFault(error)
  if (asJson) {
    const body = { error: code, message: removeCredentials(message), ...(errors && { errors }) }
    printAside(`${escapeControls(JSON.stringify(body))}\n`)
    return
  }
  const lines = [`claimgate: ${message}`]
  for (const fault of errors ?? [])
    lines.push(`  ${FLAGS[fault.parameter.split('.')[0] ?? ''] ?? fault.parameter}: ${fault.message}`)
  printAside(`${removeCredentials(lines.join('\n')).split('\n').map(toPlainText).join('\n')}\n`)
}

/** Parameters of the API as options of the command line; what stands behind a dot is a place in a list. */
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
      message: 'the configuration cannot be used; mend the environment or .env',
      errors,
    }
  }
  const message = describeStartFault(error).trim()
  const isAway = error instanceof StorageError || error instanceof SigningKeysError
  return { code: isAway ? 'unavailable' : 'internal', message }
}

/** JSON text of one line holds control characters only inside strings, and JSON.stringify leaves some as they are. */
function escapeControls(json: string): string {
  return json.replace(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
