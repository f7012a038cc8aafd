// Collects the parameters of a claim from its query string, JSON object or urlencoded form, mixed freely. Refuses a name
// with two different values. Does not check values: claim-wire.ts does.

import { isIpTooLong, splitIpText } from '../claims/input/caller-text.ts'
import { parseIpRange } from '../claims/ip.ts'
import { isAscii, MAX_QUERY_LENGTH, NOT_ASCII, parseForm } from '../http/form.ts'
import { isForm, type MediaType } from '../http/media-type.ts'
import { isJsonObject, parseJson } from '../lib/json.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { decodeUtf8 } from '../lib/utf8.ts'

/** Parameters of one source or of all, by name. `ip` is always a list, its entries of any type. */
export type Parameters = Map<string, unknown>

/** Parameters of a query string (without its question mark). */
export function parseQuery(query: string): Result<Parameters, string> {
  if (query === '') return ok(new Map())
  if (query.length > MAX_QUERY_LENGTH) {
    return fail(`the query string may have up to ${MAX_QUERY_LENGTH} characters`)
  }
  return parsePairs(query, 'the query string')
}

/** Parameters of a body: a form if the type says so, otherwise JSON; none when it is empty. */
export function parseBody(bytes: Uint8Array, type: MediaType | undefined): Result<Parameters, string> {
  if (bytes.length === 0) return ok(new Map())
  const text = decodeUtf8(bytes)
  if (type === 'ascii-form' && !isAscii(bytes)) return fail(NOT_ASCII)
  if (text === undefined) return fail('the body is not valid UTF-8')
  return isForm(type) ? parsePairs(text, 'the form') : parseObject(text)
}

function parsePairs(text: string, where: string): Result<Parameters, string> {
  const pairs = parseForm(text)
  if (pairs === undefined) return fail(`${where} has malformed percent-encoding`)
  const parameters: Parameters = new Map()
  for (const [name, value] of pairs) {
    const known = parameters.get(name)
    if (name === 'ip') addIp(parameters, value)
    else if (known === undefined) parameters.set(name, value)
    else if (known !== value) return fail(`a name occurs twice in ${where} with different values`)
  }
  return ok(parameters)
}

function addIp(parameters: Parameters, value: string): void {
  const entries = parameters.get('ip') as string[] | undefined
  if (entries === undefined) parameters.set('ip', splitIpText(value))
  else entries.push(...splitIpText(value))
}

function parseObject(text: string): Result<Parameters, string> {
  const parsed = parseJson(text)
  if (!parsed.ok) return fail(parsed.reason === 'duplicate' ? REPEATED : describeMalformed(text))
  if (!isJsonObject(parsed.value)) return fail('the body is JSON but not an object')
  const parameters: Parameters = new Map()
  for (const [name, value] of Object.entries(parsed.value)) {
    if (value !== null) parameters.set(name, name === 'ip' ? toIpList(value) : value)
  }
  return ok(parameters)
}

const REPEATED = 'a name occurs twice in the JSON'

function describeMalformed(text: string): string {
  return /^\w+=/.test(text)
    ? 'the body looks like a form, and its Content-Type says that it is JSON; send Content-Type: application/x-www-form-urlencoded'
    : 'the body is not well-formed JSON'
}

function toIpList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return typeof value === 'string' ? splitIpText(value) : [value]
}

/** The parameters of all sources. A name in two of them must have the same value; `ip` is compared as a set. */
export function mergeSources(sources: readonly Parameters[]): Result<Parameters, string> {
  const [first = new Map<string, unknown>(), ...others] = sources.filter((source) => source.size > 0)
  for (const source of others) {
    for (const [name, value] of source) {
      const known = first.get(name)
      if (known === undefined) first.set(name, value)
      else if (!isSame(name, known, value)) return fail('a parameter was sent twice with different values')
    }
  }
  return ok(first)
}

function isSame(name: string, one: unknown, other: unknown): boolean {
  if (name === 'ip') return isSameSet(one as readonly unknown[], other as readonly unknown[])
  const text = comparableText(one)
  return text !== undefined && text === comparableText(other)
}

/** A query string holds only text, so the number 60 equals the text `60`. Values of other types equal nothing. */
function comparableText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
}

function isSameSet(one: readonly unknown[], other: readonly unknown[]): boolean {
  const [a, b] = [comparableSet(one), comparableSet(other)]
  return a !== undefined && a === b
}

/**
 * One text for a list, equal for lists of the same addresses in any spelling and order. Entries that are not addresses are
 * compared as written, and so is a list that is too long. Undefined when an entry is not text.
 */
function comparableSet(entries: readonly unknown[]): string | undefined {
  if (!entries.every((entry) => typeof entry === 'string')) return undefined
  if (isIpTooLong(entries)) return entries.join()
  const canonical = entries.map((entry) => {
    const range = parseIpRange(entry)
    return range.ok ? range.value.text : entry
  })
  return [...new Set(canonical)].sort().join(' ')
}
