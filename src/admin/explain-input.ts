// What may be asked of `explain`: a token and the request that presents it. Every fault at once.
// Texts that become headers are taken as they stand, wrong spellings included: those are what is to be explained.

import * as z from 'zod'
import { type IpAddress, parseAddress } from '../claims/ip.ts'
import type { ParameterFault } from '../http/problem.ts'
import { ok, type Result } from '../lib/result.ts'
import { parseInput } from './members.ts'

/** A request to be explained. */
export interface ExplainInput {
  readonly token: string
  /** What the `Origin` header would be; null: none. */
  readonly origin: string | null
  /** The client's address; undefined: none is known. */
  readonly address: IpAddress | undefined
  readonly method: string
  /** Undefined: the service's own whoami. */
  readonly url: URL | undefined
  /** What the `DPoP` header would be; null: none. */
  readonly dpop: string | null
}

/** Longest token and proof, in characters: twice what a verifier looks at. */
const MAX_TOKEN_LENGTH = 8192
const MAX_TEXT_LENGTH = 2048
/** With a short host: the cost of parsing a host name grows with the square of its length. */
const WEB_URL = /^https?:\/\/[^/?#]{1,512}(?:[/?#]|$)/i
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

function text(max: number) {
  const message = `must be text of up to ${max} characters`
  return z.string({ error: message }).max(max, message)
}

const schema = z.strictObject({
  token: text(MAX_TOKEN_LENGTH),
  origin: text(MAX_TEXT_LENGTH).nullish(),
  ip: readText((given) => parseAddress(given), 'must be one address, like 203.0.113.7 or 2001:db8::1'),
  method: readText((given) => (METHOD.test(given) ? given : undefined), 'must be an HTTP method, like GET'),
  url: readText(parseWebUrl, 'must be the whole http(s) URL of the request, like https://api.example.com/a'),
  dpop: text(MAX_TOKEN_LENGTH).nullish(),
})

/** A text that `read` makes sense of; null and nothing are undefined. */
function readText<T>(read: (given: string) => T | undefined, message: string) {
  return z
    .string({ error: message })
    .max(MAX_TEXT_LENGTH, message)
    .nullish()
    .transform((given, context) => {
      if (given === null || given === undefined) return undefined
      const value = read(given)
      if (value === undefined) context.addIssue({ code: 'custom', message })
      return value
    })
}

function parseWebUrl(given: string): URL | undefined {
  return WEB_URL.test(given) ? (URL.parse(given) ?? undefined) : undefined
}

/** Reads the members of `POST /admin/explain`, or what the command line was told under the same names. */
export function parseExplainInput(value: unknown): Result<ExplainInput, readonly ParameterFault[]> {
  const parsed = parseInput(schema, value)
  if (!parsed.ok) return parsed
  const { token, origin = null, ip, method = 'GET', url, dpop = null } = parsed.value
  return ok({ token, origin, address: ip, method, url, dpop })
}
