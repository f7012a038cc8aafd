// Log lines: one JSON object each, with a closed list of fields. Code that has a secret must not pass it here. As a last
// guard, a text that contains a credential is replaced. The caller gives the clock and the output, so the same logger runs
// on every platform.

import { ClaimError } from '../claims/errors.ts'
import { readErrorCode } from '../lib/error-code.ts'
import { SigningKeysError } from '../signing/errors.ts'
import { StorageError } from '../storage/errors.ts'
import { containsCredential, REMOVED } from './credential-text.ts'

/** The lowest level that is logged; `silent` logs nothing. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** The fields of a log line in addition to its message. Absent and `undefined` fields are left out. */
export interface LogFields {
  /** A URL from the configuration, such as the issuer; never one with a query. */
  readonly url?: string | undefined
  readonly requestId?: string | undefined
  /** Error code of an answer. */
  readonly code?: string | undefined
  /** A text that this project wrote; never text from a request. */
  readonly reason?: string | undefined
  /** HTTP status of the answer. */
  readonly status?: number | undefined
  readonly method?: string | undefined
  /** Name of a route; never the path of a request. */
  readonly route?: string | undefined
  readonly durationMs?: number | undefined
  /** Address of a client, after `anonymizeAddress`; never the whole address. */
  readonly address?: string | undefined
  /** Whole address of a peer that sends proxy headers: operators need it to configure their proxy. */
  readonly peer?: string | undefined
  /** Origin of a page, checked to be one and at most 300 characters long. */
  readonly origin?: string | undefined
  /** Id of the account, never its name. */
  readonly account?: string | undefined
  /** Id of the credential, never its secret. */
  readonly credential?: string | undefined
  readonly kid?: string | undefined
  /** A thrown value. Little of it is written: see `describeError`. */
  readonly error?: unknown
  /** What failed in a round of upkeep, such as `rotation of signing keys`. */
  readonly check?: string | undefined
  /** Signal of the operating system, such as `SIGTERM`. */
  readonly signal?: string | undefined
  readonly count?: number | undefined
}

/** One function for each level. A level that is off writes nothing. */
export type Logger = { readonly [Level in Exclude<LogLevel, 'silent'>]: LogLine }

/** Writes one line. `message` must be a constant text, never one that is built from input. */
export type LogLine = (message: string, fields?: LogFields) => void

const RANK = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const

/** The fields that are written: other members of the object, which a caller may have spread into it, are not. */
const KIND: { readonly [Name in keyof LogFields]-?: 'string' | 'number' | 'error' } = {
  url: 'string',
  requestId: 'string',
  code: 'string',
  reason: 'string',
  status: 'number',
  method: 'string',
  route: 'string',
  durationMs: 'number',
  address: 'string',
  peer: 'string',
  origin: 'string',
  account: 'string',
  credential: 'string',
  kid: 'string',
  error: 'error',
  check: 'string',
  signal: 'string',
  count: 'number',
}
const KINDS = Object.entries(KIND) as readonly [keyof LogFields, string][]

/** Matches a URL that has a query or a user name. */
const QUERY_OR_USER = /\?|\/\/[^/]*@/

/**
 * Creates a logger. `write` gets each line, JSON without a line end; `now` returns epoch milliseconds. A field of the wrong
 * type is left out. Not checked: that an address was shortened.
 *
 * @example
 * const log = createLogger({ level: 'info', write: (line) => process.stdout.write(`${line}\n`), now: Date.now })
 * log.info('listening', { url: 'http://127.0.0.1:8787' })
 */
export function createLogger(options: {
  readonly level: LogLevel
  readonly write: (line: string) => void
  readonly now: () => number
}): Logger {
  const { level, write, now } = options
  const lineAt = (name: keyof Logger): LogLine => {
    if (RANK[name] < RANK[level]) return ignoreLine
    return (message, fields) => {
      const time = new Date(now()).toISOString()
      write(JSON.stringify({ time, level: name, msg: guardText(message), ...(fields && pickFields(fields)) }))
    }
  }
  return { debug: lineAt('debug'), info: lineAt('info'), warn: lineAt('warn'), error: lineAt('error') }
}

function ignoreLine(): void {}

function pickFields(fields: LogFields): Record<string, string | number> {
  const picked: Record<string, string | number> = {}
  for (const [name, kind] of KINDS) {
    const value = fields[name]
    if (value === undefined) continue
    if (kind === 'error') picked[name] = guardText(describeError(value))
    else if (kind === 'number' && typeof value === 'number') picked[name] = value
    else if (kind === 'string' && typeof value === 'string') {
      const mayHoldQuery = name === 'url' || name === 'route'
      picked[name] = mayHoldQuery && QUERY_OR_USER.test(value) ? REMOVED : guardText(value)
    }
  }
  return picked
}

function guardText(text: string): string {
  return containsCredential(text) ? REMOVED : text
}

/**
 * A thrown value as text: the class, then for this project's errors the message, for all others code and place. Messages of
 * other errors are left out, because they often quote input. The cause follows in the same form.
 */
function describeError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown
  const hasSafeMessage =
    thrown instanceof StorageError || thrown instanceof ClaimError || thrown instanceof SigningKeysError
  const text = hasSafeMessage
    ? `${thrown.name}: ${thrown.message}`
    : `${thrown.name}${codeOf(thrown)}${placeOf(thrown)}`
  return thrown.cause instanceof Error ? `${text}; cause: ${describeError(thrown.cause)}` : text
}

/** The code that a driver or the system gave the error, such as ` ECONNREFUSED`; empty without one. */
function codeOf(error: Error): string {
  const code = readErrorCode(error)
  return code !== undefined && /^\w{1,40}$/.test(code) ? ` ${code}` : ''
}

/** File and line of the first stack frame. The search starts after the message, which could look like a frame. */
function placeOf(error: Error): string {
  const stack = error.stack ?? ''
  const start = stack.indexOf(error.message)
  const frame =
    start < 0 ? null : /\n\s+at .*?([^\s(]+:\d+:\d+)\)?/.exec(stack.slice(start + error.message.length))
  return frame === null ? '' : ` at ${frame[1]}`
}
