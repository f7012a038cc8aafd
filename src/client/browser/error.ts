// The error of every call that fails, and how an answer becomes one. It never holds a token.

import { parseRetryAfter } from './renewal.ts'

/** Members of a problem (RFC 9457), or of whatever JSON object came with a refusal. */
export type Problem = Readonly<Record<string, unknown>>

/** What is known of a failure. */
export interface Failing {
  readonly status?: number
  readonly code: string
  readonly problem?: Problem | undefined
  readonly retryAfter?: number | undefined
  readonly cause?: unknown
}

/**
 * A call, or the request for its token, that failed; which of the two, the message says.
 *
 * @example
 * try { await client.get('/plants') } catch (error) {
 *   if ((error as DataClientError).code === 'insufficient_scope') alert('Ask your administrator for access.')
 * }
 */
export class DataClientError extends Error {
  override readonly name = 'DataClientError'
  /** HTTP status of the answer; 0 where none came. */
  readonly status: number
  /**
   * The problem's `error`, or `http_error` where an answer has none; `network_error`, `invalid_response`,
   * `redirect_refused`, `unsupported` and `closed` are made here.
   */
  readonly code: string
  /** The answer's body, when it is a JSON object. */
  readonly problem: Problem | undefined
  /** Seconds after which to try again, when the server said so. */
  readonly retryAfter: number | undefined

  constructor(message: string, { status = 0, code, problem, retryAfter, cause }: Failing) {
    super(message, { cause })
    this.status = status
    this.code = code
    this.problem = problem
    this.retryAfter = retryAfter
  }
}

/** The error for an answer that is none of the good ones; reads its body. `who` answered. */
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

/** Milliseconds for which an answer asks to be left alone, where it does. */
export function waitOf({ headers }: Response): number | undefined {
  return parseRetryAfter(headers.get('retry-after'), headers.get('date'))
}

/** The error for a request that got no answer. */
export function networkError(who: string, cause: unknown): DataClientError {
  return new DataClientError(`${who} cannot be reached`, { code: 'network_error', cause })
}

/** A JSON object; undefined when the text is none. */
export function parseObject(text: string): Problem | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Problem) : undefined
  } catch {
    return undefined
  }
}
