// Parses the texts that a caller sends as origin, scope and addresses. A text that is too long is refused before it is
// parsed, because the cost of parsing may grow with the square of the length.

import { fail, ok, type Result } from '../../lib/result.ts'
import { parseIpList, splitIpList } from '../ip.ts'
import { type ParsedOrigin, parseOrigin } from '../origin.ts'
import { parseScope } from '../scope.ts'

/** Longest accepted text of each parameter, in UTF-16 units. */
export const MAX_ORIGIN_LENGTH = 300
export const MAX_SCOPE_LENGTH = 1024
const MAX_IP_LENGTH = 256

/** Parses an origin as `parseOrigin` does. Fails for a text of more than 300 characters. */
export function readOriginText(text: string): Result<ParsedOrigin, string> {
  return text.length > MAX_ORIGIN_LENGTH ? tooLong(MAX_ORIGIN_LENGTH) : parseOrigin(text)
}

/** The canonical text of an origin. Fails as `readOriginText` does. */
export function readCanonicalOrigin(text: string): Result<string, string> {
  const parsed = readOriginText(text)
  return parsed.ok ? ok(parsed.value.origin) : parsed
}

/** Parses scopes as `parseScope` does. Fails for a text of more than 1024 characters. */
export function readScopeText(text: string): Result<readonly string[], string> {
  return text.length > MAX_SCOPE_LENGTH ? tooLong(MAX_SCOPE_LENGTH) : parseScope(text)
}

/** The entries of a comma list, see `splitIpList`. A text that is too long stays one entry, which `readIpTexts` refuses. */
export function splitIpText(text: string): string[] {
  return text.length > MAX_IP_LENGTH ? [text] : splitIpList(text)
}

/**
 * The canonical texts of addresses and CIDRs. Fails as `parseIpList` does, and when the entries, written as a comma list,
 * have more than 256 characters.
 */
export function readIpTexts(entries: readonly string[]): Result<readonly string[], string> {
  if (isIpTooLong(entries)) return tooLong(MAX_IP_LENGTH)
  const ranges = parseIpList(entries)
  return ranges.ok ? ok(ranges.value.map((range) => range.text)) : ranges
}

/** Whether the entries of an `ip` parameter, written as a comma list, have more than 256 characters. */
export function isIpTooLong(entries: readonly unknown[]): boolean {
  let length = -1
  for (const entry of entries) length += 1 + (typeof entry === 'string' ? entry.length : 0)
  return length > MAX_IP_LENGTH
}

function tooLong(max: number): { readonly ok: false; readonly reason: string } {
  return fail(`must have at most ${max} characters`)
}
