// Origin, scope and addresses as callers write them. A text that is too long is refused before it is parsed: the cost
// of parsing may grow with the square of the length.

import { fail, ok, type Result } from '../../lib/result.ts'
import { parseIpList, splitIpList } from '../ip.ts'
import { type ParsedOrigin, parseOrigin } from '../origin.ts'
import { parseScope } from '../scope.ts'

/** Longest accepted texts by parameter, characters. */
export const MAX_ORIGIN_LENGTH = 300
export const MAX_SCOPE_LENGTH = 1024
export const MAX_IP_LENGTH = 256

/** Parses an origin as `parseOrigin` does; refuses a text that is too long. */
export function readOriginText(text: string): Result<ParsedOrigin, string> {
  return text.length > MAX_ORIGIN_LENGTH ? tooLong(MAX_ORIGIN_LENGTH) : parseOrigin(text)
}

/** The origin of a text in canonical form. */
export function readCanonicalOrigin(text: string): Result<string, string> {
  const parsed = readOriginText(text)
  return parsed.ok ? ok(parsed.value.origin) : parsed
}

/** Parses scopes as `parseScope` does; refuses a text that is too long. */
export function readScopeText(text: string): Result<readonly string[], string> {
  return text.length > MAX_SCOPE_LENGTH ? tooLong(MAX_SCOPE_LENGTH) : parseScope(text)
}

/** The entries of a comma list. A text that is too long is not split: `readIpTexts` refuses it. */
export function splitIpText(text: string): string[] {
  return text.length > MAX_IP_LENGTH ? [text] : splitIpList(text)
}

/** Addresses and CIDRs in canonical form, checked as by `parseIpList`. */
export function readIpTexts(entries: readonly string[]): Result<readonly string[], string> {
  if (isIpTooLong(entries)) return tooLong(MAX_IP_LENGTH)
  const ranges = parseIpList(entries)
  return ranges.ok ? ok(ranges.value.map((range) => range.text)) : ranges
}

/** Whether the entries of an `ip` parameter, written as a comma list, are too long. */
export function isIpTooLong(entries: readonly unknown[]): boolean {
  let length = -1
  for (const entry of entries) length += 1 + (typeof entry === 'string' ? entry.length : 0)
  return length > MAX_IP_LENGTH
}

function tooLong(max: number): { readonly ok: false; readonly reason: string } {
  return fail(`must have at most ${max} characters`)
}
