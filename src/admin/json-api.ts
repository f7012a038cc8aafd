// How the admin API reads requests and writes answers: a JSON object in, JSON out.

import { readBody } from '../http/body.ts'
import { JSON_TYPE, type Methods, type RequestContext } from '../http/context.ts'
import { parseMediaType } from '../http/media-type.ts'
import { invalidParameters, type ParameterFault, type Problem } from '../http/problem.ts'
import { isJsonObject, type JsonObject, parseJson } from '../lib/json.ts'
import { fail, type Result } from '../lib/result.ts'
import { decodeUtf8 } from '../lib/utf8.ts'

/** The paths of one subject. `name` is what logs and metrics call a path. */
export type AdminPaths = Readonly<Record<string, { readonly name: string; readonly methods: Methods }>>

/** Checks a JSON value and returns the input in canonical form, or the list of its faults. */
export type ParseInput<T> = (value: unknown) => Result<T, readonly ParameterFault[]>

/** Enough for a hundred origins with the longest host names. */
const MAX_ADMIN_BODY_BYTES = 65_536

const UNSUPPORTED: Problem = {
  code: 'unsupported_media_type',
  detail: 'send Content-Type: application/json, in UTF-8',
}
const TOO_LARGE: Problem = {
  code: 'payload_too_large',
  detail: `the body must have at most ${MAX_ADMIN_BODY_BYTES} bytes`,
}
const MALFORMED: Problem = {
  code: 'invalid_request',
  detail: 'the body must be one well-formed JSON object without repeated names',
}

/**
 * Reads the input in a request's body. The reason is the refusal: 415 for another media type, 413 over 65 536 bytes,
 * 400 for anything but a JSON object, 422 with the faults that `parse` lists. Rejects when the body ends early or
 * arrives too slowly. `mayBeEmpty`: an empty body of any media type counts as `{}`.
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

/** Answers with `body` as JSON. */
export function answerJson(context: RequestContext, status: number, body: unknown): Response {
  return context.answer(status, JSON.stringify(body), JSON_TYPE)
}

function parseObject(bytes: Uint8Array): JsonObject | undefined {
  const text = decodeUtf8(bytes)
  const parsed = text === undefined ? undefined : parseJson(text)
  return parsed?.ok && isJsonObject(parsed.value) ? parsed.value : undefined
}
