// Sends one POST to the issuer, with limits of time and size, and turns a refusal into an error. The request contains the
// credential, so no error message repeats anything of the request.

import { isJsonObject, type JsonObject, parseJson } from '../../lib/json.ts'
import { readBytes } from '../../lib/read-bytes.ts'
import { decodeUtf8 } from '../../lib/utf8.ts'
import { ClaimRequestError } from './error.ts'
import { parseRetryAfter } from './retry-after.ts'

/** An answer of the issuer. Only its size and syntax were checked. */
export interface IssuerAnswer {
  readonly status: number
  /** Seconds from now; undefined when `Retry-After` is absent or invalid. */
  readonly retryAfter: number | undefined
  /** Undefined when the body is not a JSON object, or longer than 64 KiB. */
  readonly body: JsonObject | undefined
}

/** Limit of the whole exchange, up to the last byte of the answer. */
const TIMEOUT_MS = 5000
const MAX_ANSWER_BYTES = 65_536
const MAX_DETAIL_LENGTH = 1000

/**
 * Sends a POST. A redirect is returned like any other answer: following it would send the credential to another URL.
 *
 * @throws {ClaimRequestError} `gateway_timeout` when the issuer is unreachable, the connection breaks, or the answer is not
 *   complete within 5 s.
 */
export async function askIssuer(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<IssuerAnswer> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS)
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { accept: 'application/json', ...headers },
      body,
      redirect: 'manual',
      signal: abort.signal,
    })
    const bytes = await readBytes(response.body, MAX_ANSWER_BYTES)
    return {
      status: response.status,
      retryAfter: parseRetryAfter(response.headers.get('retry-after'), Date.now()),
      body: bytes && parseObject(bytes),
    }
  } catch (error) {
    const reason = abort.signal.aborted
      ? `did not answer within ${TIMEOUT_MS / 1000} s`
      : `cannot be reached${causeOf(error)}`
    throw new ClaimRequestError('gateway_timeout', 504, `the issuer ${reason}`)
  } finally {
    clearTimeout(timer)
    // Closes the connection when the body was not read to its end.
    abort.abort()
  }
}

/**
 * The error for an answer without a token. Its message is one line with the status, the code and the detail of the answer,
 * which may be problem+json (RFC 9457) or have the format of RFC 6749 section 5.2. When code or detail contain one of
 * `secrets`, only the status and `Retry-After` are used. An answer below 400 becomes 502 `bad_gateway`.
 */
export function toRequestError(answer: IssuerAnswer, secrets: readonly string[]): ClaimRequestError {
  const { status, body, retryAfter } = answer
  if (status < 400) {
    return new ClaimRequestError(
      'bad_gateway',
      502,
      `the issuer answered ${status} without a token; ${CHECK}`,
    )
  }
  // A claimgate answers every request with a JSON object, so another server answered, or a proxy in between.
  if (body === undefined) {
    const message = `the issuer answered ${status} and not with JSON; ${CHECK}`
    return new ClaimRequestError('bad_gateway', status, message, retryAfter)
  }
  const code = typeof body.error === 'string' && /^\w{1,40}$/.test(body.error) ? body.error : 'bad_gateway'
  const detail = describeRefusal(body)
  if (secrets.some((secret) => `${code} ${detail}`.includes(secret))) {
    return new ClaimRequestError('bad_gateway', status, `the issuer answered ${status}`, retryAfter)
  }
  const advice = status === 404 ? `; ${CHECK}` : ''
  const message = `the issuer answered ${status} ${code}${detail && `: ${detail.slice(0, MAX_DETAIL_LENGTH)}`}${advice}`
  return new ClaimRequestError(code, status, message, retryAfter)
}

const CHECK = 'check that the option issuer (variable CLAIMGATE_ISSUER) is the URL of the issuer itself'

/** The detail of a refusal and the message of each invalid parameter, on one line. */
function describeRefusal({ detail, error_description: description, errors }: JsonObject): string {
  const faults = (Array.isArray(errors) ? errors : [])
    .filter((fault) => typeof fault?.parameter === 'string' && typeof fault.message === 'string')
    .map(({ parameter, message }) => `${parameter} ${message}`)
  const texts = [detail ?? description, ...faults].filter((text) => typeof text === 'string')
  return texts.join('; ').replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  const parsed = parseJson(decodeUtf8(bytes) ?? '')
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined
}

/** The system's error code, such as ` (ECONNREFUSED)`. Not the error's message, because that may contain the URL. */
function causeOf(error: unknown): string {
  const { code } = ((error as Error).cause ?? {}) as { readonly code?: unknown }
  return typeof code === 'string' ? ` (${code})` : ''
}
