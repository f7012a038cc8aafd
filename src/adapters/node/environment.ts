// The process's environment with `.env` read into it, and start-up faults as lines for a person.

import { existsSync } from 'node:fs'
import { ConfigError } from '../../config/config.ts'
import { readErrorCode } from '../../lib/error-code.ts'
import { StorageError } from '../../storage/errors.ts'

/** The environment; names that `.env` sets and the environment does not are added. Throws when it cannot be read. */
export function loadEnvironment(): NodeJS.ProcessEnv {
  if (!existsSync('.env')) return process.env
  try {
    process.loadEnvFile('.env')
  } catch (error) {
    throw new Error(
      `.env cannot be read (${readErrorCode(error) ?? 'unknown'}); make it a file that the server may read`,
    )
  }
  return process.env
}

/** Whether NODE_ENV is `production`: then signing keys whose kid starts with `dev-` are refused. */
export function isProduction(): boolean {
  return process.env.NODE_ENV === 'production'
}

/** What to do about an address that cannot be had, by the system's code. */
const LISTEN_FAULTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'PORT: another process listens there; stop it, or choose another port (example: PORT=8788)',
  EACCES: 'PORT: ports below 1024 are for the superuser; choose another one (example: PORT=8787)',
  EADDRNOTAVAIL: 'HOST: is no address of this machine (example: HOST=127.0.0.1)',
  ENOTFOUND: 'HOST: is a name without an address (example: HOST=127.0.0.1)',
  EAI_AGAIN: 'HOST: is a name that cannot be looked up now (example: HOST=127.0.0.1)',
}

/** A start-up fault, one line for each problem: our own say what to do, the system's are told by their code. */
export function describeStartFault(error: unknown): string {
  if (error instanceof ConfigError || error instanceof StorageError) return error.message
  if (!(error instanceof Error)) return 'an unknown fault'
  const isListening = 'syscall' in error && /^(listen|getaddrinfo)$/.test(String(error.syscall))
  return (isListening && LISTEN_FAULTS[readErrorCode(error) ?? '']) || error.message
}
