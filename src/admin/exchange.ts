// A request and its answer as the admin API has them: a JSON object in, JSON out.

import { readBody } from '../http/body.ts'
import { JSON_TYPE, type RequestContext } from '../http/context.ts'
import { parseMediaType } from '../http/media-type.ts'
import { invalidParameters, type ParameterFault, type Problem } from '../http/problem.ts'
import { isJsonObject, type JsonObject, parseJson } from '../lib/json.ts'
import { fail, type Result } from '../lib/result.ts'
import { decodeUtf8 } from '../lib/utf8.ts'

/** Reads an input from a JSON value, or gives every fault of it. */
export type ParseInput<T> = (value: unknown) => Result<T, readonly ParameterFault[]>

/** A hundred origins of the longest names fit. */
const MAX_ADMIN_BODY_BYTES = 65_536

const UNSUPPORTED: Problem = { code: 'unsupported_media_type', detail: 'send application/json in UTF-8' }
const TOO_LARGE: Problem = {
  code: 'payload_too_large',
  detail: `a body may have up to ${MAX_ADMIN_BODY_BYTES} bytes`,
}
const MALFORMED: Problem = {
  code: 'invalid_request',
  detail: 'the body must be one well-formed JSON object, each name in it once',
}

/**
 * The input in a request's body, or the refusal of whatever else it is: media type, size, form, members.
 * `mayBeEmpty`: no body at all, of any type, counts as `{}`.
 */
export async function readInput<T>(
  request: Request,
  parse: ParseInput<T>,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {},
): Promise<Result<T, Problem>> {
  const isJson = parseMediaType(request.headers.get('content-type')) === 'json'
  if (!isJson && !mayBeEmpty) return fail(UNSUPPORTED)
  const bytes = await readBody(request, isJson ? MAX_ADMIN_BODY_BYTES : 0)
  if (bytes === undefined) return fail(isJson ? TOO_LARGE : UNSUPPORTED)
  const value = mayBeEmpty && bytes.length === 0 ? {} : parseObject(bytes)
  if (value === undefined) return fail(MALFORMED)
  const input = parse(value)
  return input.ok ? input : fail(invalidParameters(input.reason))
}

/** A JSON answer. */
export function answerJson(context: RequestContext, status: number, body: unknown): Response {
  return context.answer(status, JSON.stringify(body), JSON_TYPE)
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  const text = decodeUtf8(bytes)
  const parsed = text === undefined ? undefined : parseJson(text)
  return parsed?.ok && isJsonObject(parsed.value) ? parsed.value : undefined
}
