// The body of every OAuth request (RFC 6749 section 3.2 and appendix B): one urlencoded form in UTF-8, each parameter once.
// In the query string, credentials (section 2.3.1) and parameters of a token request are refused; others are ignored.

import type { RequestContext } from '../http/context.ts'
import { isAscii, MAX_QUERY_LENGTH, NOT_ASCII, parseForm, queryOf } from '../http/form.ts'
import { isForm, parseMediaType } from '../http/media-type.ts'
import { BODY_TOO_LARGE, type Problem } from '../http/problem.ts'
import { type Received, receiveRequest } from '../issue/admission.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { decodeUtf8 } from '../lib/utf8.ts'

/** A form in which no parameter but `resource` is repeated. */
export interface OAuthForm {
  /** Values by name, empty ones included; without `resource`. */
  readonly values: ReadonlyMap<string, string>
  /** Values of `resource`, the only parameter that may be repeated (RFC 8707 section 2). */
  readonly resources: readonly string[]
}

const CREDENTIALS = ['client_id', 'client_secret', 'client_assertion']
/** Refused in the query string, where an `origin` or `ip` would otherwise be ignored and the token would not be bound. */
const TOKEN_PARAMETERS = ['grant_type', 'scope', 'origin', 'ip', 'resource']

/** The value of a parameter; undefined when it is absent or empty (RFC 6749 section 3.2 treats both alike). */
export function readParameter({ values }: OAuthForm, name: string): string | undefined {
  return values.get(name) || undefined
}

/** A complete request and its form. */
export interface ReceivedForm {
  readonly received: Received
  readonly form: OAuthForm
}

/** Reads a request to its end and parses its form. Checks in this order: media type, size, content. */
export async function receiveForm(context: RequestContext): Promise<Result<ReceivedForm, Problem>> {
  const { headers, url } = context.request
  const type = parseMediaType(headers.get('content-type'))
  if (headers.has('content-encoding') || !isForm(type)) return fail(UNSUPPORTED)
  const received = await receiveRequest(context)
  if (received.bytes === undefined) return fail(BODY_TOO_LARGE)
  if (type === 'ascii-form' && !isAscii(received.bytes)) return malformed(NOT_ASCII)
  const form = readForm(received.bytes, url)
  return form.ok ? ok({ received, form: form.value }) : form
}

function readForm(bytes: Uint8Array, url: string): Result<OAuthForm, Problem> {
  const asked = queryOf(url)
  if (asked.length > MAX_QUERY_LENGTH)
    return malformed('parameters must be in the form, not in the query string')
  const query = new URLSearchParams(asked)
  if (CREDENTIALS.some((name) => query.has(name))) return malformed(IN_QUERY)
  if (TOKEN_PARAMETERS.some((name) => query.has(name)))
    return malformed('parameters must be in the form, not in the query string')
  const text = decodeUtf8(bytes)
  const pairs = text === undefined ? undefined : parseForm(text)
  if (pairs === undefined) return malformed('the form is not UTF-8, or has malformed percent-encoding')
  const values = new Map<string, string>()
  const resources: string[] = []
  for (const [name, value] of pairs) {
    if (name === 'resource') resources.push(value)
    else if (values.has(name)) return malformed('a parameter occurs twice in the form')
    else values.set(name, value)
  }
  return ok({ values, resources })
}

function malformed(detail: string): { readonly ok: false; readonly reason: Problem } {
  return fail({ code: 'invalid_request', detail })
}

const UNSUPPORTED: Problem = {
  code: 'unsupported_media_type',
  detail: 'send Content-Type: application/x-www-form-urlencoded, in UTF-8 and without Content-Encoding',
}
const IN_QUERY =
  'client credentials must not be in the query string: send them in the Authorization header or the body'
