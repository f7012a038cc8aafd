// Values in words, for comparisons that an operator reads. A text that does not have the form of a name is described by its
// length, because it may be a secret.

import { isJsonObject } from '../../lib/json.ts'
import { formatTime } from '../../lib/time.ts'

/** Both sides of a rule. `actual` is null when the request or the token has no such value. */
export interface Comparison {
  readonly expected: string
  readonly actual: string | null
}

/** Epoch seconds in RFC 3339, UTC; the number itself when it does not fit in a Date. */
export function describeSeconds(seconds: number): string {
  return Math.abs(seconds) <= 8.64e12 ? formatTime(Math.round(seconds * 1000)) : String(seconds)
}

/** A short name such as a key id or an algorithm. Anything else is described, because it may be a secret. */
export function nameOf(value: unknown): string {
  if (value === '') return '(empty)'
  return typeof value === 'string' && /^[\w+./-]{1,64}$/.test(value) && value.split('.').length < 3
    ? value
    : kindOf(value)
}

/** The kind of a JSON value, in words. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (typeof value === 'string') return `a text of ${value.length} characters`
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (isJsonObject(value)) return `an object with ${Object.keys(value).length} members`
  return String(value)
}
