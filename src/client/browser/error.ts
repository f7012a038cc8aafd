// The error of every failed call, and how it is made from an answer. It takes nothing from the request, so it contains no
// token unless a server repeats one.

import type { ClaimErrorCode } from '../../claims/codes.ts'
import { parseRetryAfter, sleep } from './renewal.ts'

// Number constants come first in the files of this folder: esbuild inlines only those before the first other statement.
/** The longest body of a refusal that is read, in bytes, and the longest time for it. */
const MAX_BYTES = 65_536
const READ_MS = 2000

/** The JSON object or array in the body of a refusal, usually a problem (RFC 9457). Its members are not checked. */
export type Problem = Readonly<Record<string, unknown>>

/**
 * Code of a {@link DataClientError}: one that this client makes, one of a claimgate verifier, or any other that the API or
 * the token endpoint sent.
 */
export type DataClientErrorCode =
  | 'network_error'
  | 'http_error'
  | 'invalid_response'
  | 'redirect_refused'
  | 'unsupported'
  | 'closed'
  | ClaimErrorCode
  | (string & {})

/** Members of a new {@link DataClientError}; `status` is 0 by default. */
export interface DataClientErrorInit {
  readonly status?: number
  readonly code: DataClientErrorCode
  readonly problem?: Problem | undefined
  readonly retryAfter?: number | undefined
  readonly cause?: unknown
}

/**
 * The error of a failed call to the API, or of the request for a token that the call needed; the message says which of the
 * two failed. Decide by `code`, because messages may change.
 *
 * @example
 * const plants = await client.get('/plants').catch((error: unknown) => {
 *   if (error instanceof DataClientError && error.code === 'insufficient_scope') return []
 *   throw error
 * })
 */
export class DataClientError extends Error {
  /** HTTP status of the answer; 0 when there was no answer. */
  declare readonly status: number
  /**
   * The `error` member of the problem; `http_error` when the answer has none. Made by this client: `network_error` (no
   * answer), `invalid_response` (an answer that cannot be used), `redirect_refused` (a redirect that must not be
   * followed with a token), `unsupported` (`dpop` outside of a secure context), `closed` (a call after `close`).
   */
  declare readonly code: DataClientErrorCode
  /** The body of the answer, when it is a JSON object. */
  declare readonly problem: Problem | undefined
  /** Seconds that the server asked to wait, from its `Retry-After`. */
  declare readonly retryAfter: number | undefined

  constructor(message: string, { cause, ...members }: DataClientErrorInit) {
    super(message, { cause })
    Object.assign(this, { name: 'DataClientError', status: 0 }, members)
  }
}

/** The text of a body that is complete after at most 64 KiB and 2 s; else empty. Never rejects. */
export async function readText({ body }: Response): Promise<string> {
  const reader = body?.getReader()
  const decoder = new TextDecoder()
  const read = async (): Promise<string | undefined> => {
    let text = ''
    for (let left = MAX_BYTES; left >= 0; ) {
      const { value } = (await reader?.read()) ?? {}
      if (!value) return text
      left -= value.length
      text += decoder.decode(value, { stream: true })
    }
    return undefined
  }
  const text = await Promise.race([read().catch(() => undefined), sleep(READ_MS)])
  if (text === undefined) reader?.cancel().catch(() => undefined)
  return text ?? ''
}

/**
 * The error for an answer that is not 2xx. Reads its body. `who` names the server in the message; `now` returns
 * epoch milliseconds, for a `Retry-After` that is a date.
 */
export async function toError(response: Response, who: string, now: () => number): Promise<DataClientError> {
  const { status } = response
  const problem = parseObject(await readText(response))
  const { error, detail } = problem ?? {}
  const waitMs = parseRetryAfter(response, now)
  return new DataClientError(`${who} answered ${status}${typeof detail === 'string' ? `: ${detail}` : ''}`, {
    status,
    code: typeof error === 'string' ? error : 'http_error',
    problem,
    retryAfter: waitMs && waitMs / 1000,
  })
}

/** The error for a request without an answer. `who` names the server in the message. */
export function networkError(who: string, cause: unknown): DataClientError {
  return new DataClientError(`${who} cannot be reached`, { code: 'network_error', cause })
}

/** The error for an answer that cannot be used. */
export function invalidResponse(message: string, status: number, cause?: unknown): DataClientError {
  return new DataClientError(message, { status, code: 'invalid_response', cause })
}

/** The object that a JSON text holds; undefined for any other text. */
export function parseObject(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return kindOf(value) === 'Object' ? (value as Problem) : undefined
  } catch {
    return undefined
  }
}

/** The platform's name of an object, also of one from another window. */
export function kindOf(value: unknown): string {
  return {}.toString.call(value).slice(8, -1)
}
