// The environment of the process, with `.env`, and the messages for errors while the server starts.

import { existsSync, readFileSync } from 'node:fs'
import { ConfigError, type ConfigProblem } from '../../config/config.ts'
import { readErrorCode } from '../../lib/error-code.ts'
import { StorageError } from '../../storage/errors.ts'
import { type EnvFault, parseEnvFile } from './env-file.ts'

/**
 * The environment of the process, after adding the variables of `.env` in the working directory that are not set in it.
 * Throws when `.env` exists and cannot be read, and ConfigError with one problem for each line that is not understood.
 */
export function loadEnvironment(): NodeJS.ProcessEnv {
  const bytes = readEnvFile()
  if (bytes === undefined) return process.env
  const parsed = parseEnvFile(bytes)
  if (!parsed.ok) throw new ConfigError(parsed.reason.map(describeEnvFault))
  // Of several lines with the same name the last one counts.
  for (const [name, value] of Object.entries(Object.fromEntries(parsed.value))) process.env[name] ??= value
  return process.env
}

function readEnvFile(): Uint8Array | undefined {
  try {
    return existsSync('.env') ? readFileSync('.env') : undefined
  } catch (error) {
    throw new Error(
      `.env cannot be read (${readErrorCode(error) ?? 'unknown'}); make it a file that the server may read`,
    )
  }
}

function describeEnvFault({ line, problem }: EnvFault): ConfigProblem {
  return { variable: `.env, line ${line}`, problem, example: 'CLAIMGATE_LOG=info' }
}

/** Whether NODE_ENV is `production`. Signing keys whose kid starts with `dev-` are refused then. */
export function isProduction(): boolean {
  return process.env.NODE_ENV === 'production'
}

/** Messages for an address on which the server cannot listen, by system error code. */
const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'PORT: another process listens there; stop it, or choose another port (example: PORT=8788)',
  EACCES: 'PORT: only the superuser may listen on ports below 1024; choose another one (example: PORT=8787)',
  EADDRNOTAVAIL: 'HOST: is not an address of this machine (example: HOST=127.0.0.1)',
  ENOTFOUND: 'HOST: is a name that has no address (example: HOST=127.0.0.1)',
  EAI_AGAIN: 'HOST: is a name that cannot be looked up now (example: HOST=127.0.0.1)',
}

/** The message for an error while the server starts, one line per problem. */
export function describeStartFault(error: unknown): string {
  if (error instanceof ConfigError || error instanceof StorageError) return error.message
  if (!(error instanceof Error)) return 'an unknown error'
  const isListenFault = 'syscall' in error && /^(listen|getaddrinfo)$/.test(String(error.syscall))
  return (isListenFault && LISTEN_FAULTS[readErrorCode(error) ?? '']) || error.message
}
