// The body of a page's request: empty, or a JSON object of which only `jkt` is read. Its media type is ignored. An invalid
// thumbprint is an error, because without it the page would get a token that works without its key.

import { isBase64urlOf32Bytes } from '../../lib/base64url.ts'
import { isJsonObject, parseJson } from '../../lib/json.ts'
import { fail, ok, type Result } from '../../lib/result.ts'
import { decodeUtf8 } from '../../lib/utf8.ts'
import type { EndpointProblem } from './endpoint-problem.ts'

/** Longest body that is accepted. */
export const MAX_BODY_BYTES = 16_384

/** A body: its bytes, or the value that the server's own parser made of them. Undefined when the body is too large. */
export type RequestBody = Uint8Array | { readonly parsed: unknown } | undefined

/** Stands for a body whose connection ended early. The answer is the same as for a body that is not JSON. */
export const BROKEN_BODY: RequestBody = { parsed: undefined }

/** The thumbprint in a body (RFC 7638); undefined when `jkt` is absent or null. */
export function readThumbprint(body: RequestBody): Result<string | undefined, EndpointProblem> {
  if (body === undefined) {
    return fail({ code: 'payload_too_large', detail: `a body may have up to ${MAX_BODY_BYTES} bytes` })
  }
  if (body instanceof Uint8Array && body.length === 0) return ok(undefined)
  const value = body instanceof Uint8Array ? parseBytes(body) : body.parsed
  if (!isJsonObject(value)) {
    return fail({ code: 'invalid_request', detail: 'the body must be empty, or a well-formed JSON object' })
  }
  const { jkt = null } = value
  if (jkt === null) return ok(undefined)
  if (isBase64urlOf32Bytes(jkt)) return ok(jkt)
  const message = 'must be the SHA-256 thumbprint of a key (RFC 7638): 43 base64url characters'
  return fail({
    code: 'invalid_request',
    status: 422,
    detail: 'these parameters are not acceptable: jkt',
    errors: [{ parameter: 'jkt', message }],
  })
}

function parseBytes(bytes: Uint8Array): unknown {
  const parsed = parseJson(decodeUtf8(bytes) ?? '')
  return parsed.ok ? parsed.value : undefined
}
