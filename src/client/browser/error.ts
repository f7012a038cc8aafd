// The error of every failed call, and how it is made from an answer. It takes nothing from the request, so it contains no
// token unless a server repeats one.

import type { ClaimErrorCode } from '../../claims/codes.ts'
import { parseRetryAfter } from './renewal.ts'

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
  override readonly name = 'DataClientError'
  /** HTTP status of the answer; 0 when there was no answer. */
  readonly status: number
  /**
   * The `error` member of the problem; `http_error` when the answer has none. Made by this client: `network_error` (no
   * answer), `invalid_response` (an answer that cannot be used), `redirect_refused` (a redirect that must not be
   * followed with a token), `unsupported` (`dpop` outside of a secure context), `closed` (a call after `close`).
   */
  readonly code: DataClientErrorCode
  /** The body of the answer, when it is a JSON object or array. */
  readonly problem: Problem | undefined
  /** Seconds that the server asked to wait, from its `Retry-After`. */
  readonly retryAfter: number | undefined

  constructor(message: string, { status = 0, code, problem, retryAfter, cause }: DataClientErrorInit) {
    super(message, { cause })
    this.status = status
    this.code = code
    this.problem = problem
    this.retryAfter = retryAfter
  }
}

/** The error for an answer that is not 2xx. Reads its body. `who` names the server in the message. */
export async function toError(response: Response, who: string): Promise<DataClientError> {
  const { status } = response
  const problem = parseObject(await response.text().catch(() => ''))
  const { error, detail } = problem ?? {}
  const wait = waitOf(response)
  return new DataClientError(`${who} answered ${status}${typeof detail === 'string' ? `: ${detail}` : ''}`, {
    status,
    code: typeof error === 'string' ? error : 'http_error',
    problem,
    retryAfter: wait === undefined ? undefined : wait / 1000,
  })
}

/** The `Retry-After` of an answer in milliseconds; undefined when it has none that can be used. */
export function waitOf({ headers }: Response): number | undefined {
  return parseRetryAfter(headers.get('retry-after'), headers.get('date'))
}

/** The error for a request without an answer. `who` names the server in the message. */
export function networkError(who: string, cause: unknown): DataClientError {
  return new DataClientError(`${who} cannot be reached`, { code: 'network_error', cause })
}

/** The object or array that a JSON text holds; undefined for any other text. */
export function parseObject(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Problem) : undefined
  } catch {
    return undefined
  }
}
