// One question to the issuer, with the secret in it: bounded in time and size, never redirected. Judges nothing of
// the answer but that it is JSON.

import { isJsonObject, type JsonObject, parseJson } from '../../lib/json.ts'
import { readBytes } from '../../lib/read-bytes.ts'
import { decodeUtf8 } from '../../lib/utf8.ts'
import { ClaimRequestError } from './error.ts'

/** What came back. */
export interface IssuerAnswer {
  readonly status: number
  /** Seconds of `Retry-After`, where it names some. */
  readonly retryAfter: number | undefined
  /** Undefined where it is no JSON object, or a very long one. */
  readonly body: JsonObject | undefined
}

/** From the request to the last byte of the answer. */
const TIMEOUT_MS = 5000
const MAX_ANSWER_BYTES = 65_536

/**
 * The answer of a POST. A redirect is an answer like any other: the secret follows none.
 *
 * @throws {ClaimRequestError} `gateway_timeout` when the issuer cannot be reached or takes over 5 s.
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
      retryAfter: readSeconds(response.headers.get('retry-after')),
      body: bytes && parseObject(bytes),
    }
  } catch (error) {
    const why = abort.signal.aborted
      ? `did not answer within ${TIMEOUT_MS / 1000} s`
      : `cannot be reached${causeOf(error)}`
    throw new ClaimRequestError('gateway_timeout', 504, `the issuer ${why}`)
  } finally {
    clearTimeout(timer)
    // Frees the connection of a body that was not read to its end.
    abort.abort()
  }
}

function readSeconds(text: string | null): number | undefined {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  const parsed = parseJson(decodeUtf8(bytes) ?? '')
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined
}

/** The system's word for what went wrong, such as ECONNREFUSED; nothing that an address could stand in. */
function causeOf(error: unknown): string {
  const { code } = ((error as Error).cause ?? {}) as { readonly code?: unknown }
  return typeof code === 'string' ? ` (${code})` : ''
}

const MAX_DETAIL = 1000

/** The error of an answer that is no token. `secrets` are what its text must not repeat. */
export function toRequestError(answer: IssuerAnswer, secrets: readonly string[]): ClaimRequestError {
  const { status, body = {}, retryAfter } = answer
  if (status < 400) {
    return new ClaimRequestError('bad_gateway', 502, `the issuer answered ${status} without a token`)
  }
  const code = typeof body.error === 'string' && /^\w{1,40}$/.test(body.error) ? body.error : 'bad_gateway'
  const detail = describe(body)
  if (secrets.some((secret) => `${code} ${detail}`.includes(secret))) {
    return new ClaimRequestError('bad_gateway', status, `the issuer answered ${status}`, retryAfter)
  }
  const message = `the issuer answered ${status} ${code}${detail && `: ${detail.slice(0, MAX_DETAIL)}`}`
  return new ClaimRequestError(code, status, message, retryAfter)
}

/** What a refusal says, every parameter at fault included. */
function describe({ detail, error_description: description, errors }: JsonObject): string {
  const faults = (Array.isArray(errors) ? errors : [])
    .filter((fault) => typeof fault?.parameter === 'string' && typeof fault.message === 'string')
    .map(({ parameter, message }) => `${parameter} ${message}`)
  const texts = [detail ?? description, ...faults].filter((text) => typeof text === 'string')
  return texts.join('; ').replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
}
