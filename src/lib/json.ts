// Strict JSON: well-formed and without duplicate names. RFC 8259 section 4 leaves the meaning of duplicates open;
// RFC 7515 section 4 and RFC 7519 section 4 allow a parser to reject them.

import { fail, ok, type Result } from './result.ts'

/** A parsed JSON object: neither an array nor null. */
export type JsonObject = { readonly [name: string]: unknown }

/**
 * Parses JSON text (RFC 8259). Fails with `malformed` when it is not JSON, and with `duplicate` when an object at any
 * depth has the same name twice. Never throws.
 */
export function parseJson(text: string): Result<unknown, 'malformed' | 'duplicate'> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return fail('malformed')
  }
  // JSON.parse keeps one member per name, so fewer members than colons outside strings means a duplicate name.
  return countColons(text) === countMembers(value) ? ok(value) : fail('duplicate')
}

/** Whether a JSON value is an object (not an array, not null). */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Counts the colons outside strings in well-formed JSON text. */
function countColons(text: string): number {
  let colons = 0
  let position = 0
  while (position < text.length) {
    const code = text.charCodeAt(position)
    if (code === 0x22) position = findStringEnd(text, position)
    else if (code === 0x3a) colons += 1
    position += 1
  }
  return colons
}

/** Position of the quote that closes the JSON string whose opening quote is at `start`; -1 when there is none. */
export function findStringEnd(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

/** Whether the character at `position` has an odd number of backslashes directly before it, as an escaped quote has. */
export function isEscaped(text: string, position: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(position - 1 - backslashes) === 0x5c) backslashes += 1
  return backslashes % 2 === 1
}

/** Number of members of all objects in a value. Iterative, because deeply nested input would overflow the stack. */
function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let members = 0
  const open: object[] = [value]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const inner: readonly unknown[] = Array.isArray(next) ? next : Object.values(next)
    if (!Array.isArray(next)) members += inner.length
    for (const item of inner) if (typeof item === 'object' && item !== null) open.push(item)
  }
  return members
}
