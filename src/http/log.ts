// Log lines: one JSON object each, made of named fields. What has no name here cannot be logged; nothing is
// redacted afterwards. As a last line of defence a value that looks like a credential never goes out.
// Runs on every engine: the caller brings the clock and the place to write to.

import { ClaimError } from '../claims/errors.ts'
import { SigningKeysError } from '../signing/errors.ts'
import { StorageError } from '../storage/errors.ts'

/** How much is logged: lines of this level and above; `silent` logs nothing. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** Everything a log line may say beside its message. Absent and `undefined` fields are left out. */
export interface LogFields {
  /** A URL of our own (where we listen, an issuer); never one with a query. */
  readonly url?: string | undefined
  readonly requestId?: string | undefined
  /** The stable code of an answer. */
  readonly code?: string | undefined
  /** Why, in our own words; never a caller's. */
  readonly reason?: string | undefined
  /** HTTP status. */
  readonly status?: number | undefined
  readonly method?: string | undefined
  /** The route's pattern, such as `/admin/accounts/:id`; never the path that was asked for. */
  readonly route?: string | undefined
  readonly durationMs?: number | undefined
  /** A client address that was shortened already; never a whole one. */
  readonly address?: string | undefined
  /** Whole address of a peer that sends proxy headers: the only address that is not shortened. */
  readonly peer?: string | undefined
  /** Account id. */
  readonly account?: string | undefined
  /** Credential id. */
  readonly credential?: string | undefined
  readonly kid?: string | undefined
  /** What was thrown: see describeError for how little of it is written. */
  readonly error?: unknown
  /** A readiness check: `database`, `keys`, `redis`. */
  readonly check?: string | undefined
  /** A signal of the operating system, such as `SIGTERM`. */
  readonly signal?: string | undefined
  readonly count?: number | undefined
}

/** Writes lines; a line whose level is off costs one call. */
export type Logger = { readonly [Level in Exclude<LogLevel, 'silent'>]: LogLine }

/** Writes one line. `message` is a fixed text, never built from input. */
export type LogLine = (message: string, fields?: LogFields) => void

const RANK = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 } as const

/** The closed list at run time: an object with more members than LogFields names leaks none of them. */
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
  account: 'string',
  credential: 'string',
  kid: 'string',
  error: 'error',
  check: 'string',
  signal: 'string',
  count: 'number',
}
const KINDS = Object.entries(KIND) as readonly [keyof LogFields, string][]

/** An account token anywhere, or three long base64url parts (the look-behind keeps the search linear). */
const CREDENTIAL = /cgk_|(?<![\w-])[\w-]{16,}\.[\w-]{16,}\.[\w-]{16,}/
/** A query, or user info. */
const URL_WITH_MORE = /\?|\/\/[^/]*@/

/**
 * Makes a logger. `write` gets one line of JSON without its line end; `now` gives epoch milliseconds.
 * Fields of a wrong type are left out. Not checked: that an address was shortened.
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
      picked[name] = mayHoldQuery && URL_WITH_MORE.test(value) ? '[removed]' : guardText(value)
    }
  }
  return picked
}

function guardText(text: string): string {
  return CREDENTIAL.test(text) ? '[removed]' : text
}

/**
 * What a log may say of something thrown: its class; the message only of our own errors, since others quote
 * what they were given; else its code and the place it was thrown at; then the same of its cause.
 */
function describeError(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown
  const isOurs =
    thrown instanceof StorageError || thrown instanceof ClaimError || thrown instanceof SigningKeysError
  const said = isOurs
    ? `${thrown.name}: ${thrown.message}`
    : `${thrown.name}${codeOf(thrown)}${placeOf(thrown)}`
  return thrown.cause instanceof Error ? `${said}; cause: ${describeError(thrown.cause)}` : said
}

/** A driver's or the system's code, such as `ECONNREFUSED`. */
function codeOf(error: Error): string {
  const code: unknown = 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^\w{1,40}$/.test(code) ? ` ${code}` : ''
}

/** The topmost stack frame, read after the message so that no text of the message passes for a frame. */
function placeOf(error: Error): string {
  const stack = error.stack ?? ''
  const start = stack.indexOf(error.message)
  const frame =
    start < 0 ? null : /\n\s+at .*?([^\s(]+:\d+:\d+)\)?/.exec(stack.slice(start + error.message.length))
  return frame === null ? '' : ` at ${frame[1]}`
}
