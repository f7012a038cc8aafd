// The list of revocations as JWS signing input (RFC 7515 section 5.1), written in slices between which other requests are
// answered. Each entry is ASCII, padded with spaces to a multiple of three bytes, so that its base64url is independent
// of the other entries: each entry is encoded only once. The payload depends only on the number, the period and the rules,
// so that replicas produce the same one.

import { base64url } from 'jose'
import type { NumberedRule } from '../../claims/revocation.ts'
import { pause } from '../../verify/revocation/pieces.ts'
import { toEntry } from './rule-index.ts'

/** The members of a list in addition to its entries; times are epoch seconds. */
export interface ListFacts {
  readonly seq: number
  readonly issuedAt: number
  readonly expiresAt: number
  /** Rules that expired by this time are left out. */
  readonly period: number
}

/** A list that is ready to be signed. */
export interface WrittenList {
  readonly input: Uint8Array<ArrayBuffer>
  /** The whole JWS with this signature. */
  finish(signature: string): Uint8Array<ArrayBuffer>
}

/** Writes a list with this protected header (base64url); `rules` are in the order of their numbers, then ids. */
export type WriteList = (
  header: string,
  facts: ListFacts,
  rules: readonly NumberedRule[],
) => Promise<WrittenList>

/** Entries that are encoded, and copied, before the event loop runs other work: about half a millisecond. */
const ENCODED_TOGETHER = 500
const COPIED_TOGETHER = 4000
/** Bytes for the end of the payload, a dot and a signature. */
const END_BYTES = 128

const utf8 = new TextEncoder()

/** A writer that remembers the entries of the last list. */
export function createListWriter(issuer: string): WriteList {
  let known: EncodedRules = { rules: [], texts: [], length: 0 }

  return async (header, { seq, issuedAt, expiresAt, period }, rules) => {
    const encoded = await encodeRules(rules, known)
    known = encoded
    const facts = JSON.stringify({ iss: issuer, iat: issuedAt, exp: expiresAt, seq })
    const start = `${header}.${encode(`${facts.slice(0, -1)},"revoked":[`)}`
    // Room for all rules, also for those that are left out.
    const bytes = new Uint8Array(start.length + encoded.length + END_BYTES)
    let length = 0
    const write = (text: string): void => {
      length += utf8.encodeInto(text, bytes.subarray(length)).written
    }

    const isListed = (rule: NumberedRule): boolean => rule.until > period * 1000
    const last = rules.findLastIndex(isListed)
    write(start)
    for (let from = 0; from < last; from += COPIED_TOGETHER) {
      if (from > 0) await pause()
      const listed = rules.slice(from, Math.min(from + COPIED_TOGETHER, last))
      write(listed.map((rule, at) => (isListed(rule) ? encoded.texts[from + at] : '')).join(''))
    }
    // The last entry is written without its comma.
    if (last >= 0) write(encode(formatEntry(rules[last] as NumberedRule, '')))
    write(encode(']}'))
    return {
      input: bytes.subarray(0, length),
      finish(signature) {
        write(`.${signature}`)
        return bytes.subarray(0, length)
      },
    }
  }
}

interface EncodedRules {
  readonly rules: readonly NumberedRule[]
  /** The entry of each rule with a comma, in base64url. */
  readonly texts: readonly string[]
  /** Total length of `texts`, characters. */
  readonly length: number
}

/** Encodes rules; takes the texts of unchanged ones from `known`. */
async function encodeRules(rules: readonly NumberedRule[], known: EncodedRules): Promise<EncodedRules> {
  const texts: string[] = []
  let length = 0
  let next = 0
  for (let from = 0; from < rules.length; from += COPIED_TOGETHER) {
    if (from > 0) await pause()
    const fresh: { readonly at: number; readonly rule: NumberedRule }[] = []
    for (const rule of rules.slice(from, from + COPIED_TOGETHER)) {
      while (known.rules[next] !== rule && isBefore(known.rules[next], rule)) next += 1
      const text = known.rules[next] === rule ? known.texts[next] : undefined
      if (text === undefined) fresh.push({ at: texts.length, rule })
      texts.push(text ?? '')
      length += text?.length ?? 0
    }
    for (let start = 0; start < fresh.length; start += ENCODED_TOGETHER) {
      if (start > 0) await pause()
      const some = fresh.slice(start, start + ENCODED_TOGETHER)
      for (const [at, text] of encodeEach(some.map(({ rule }) => rule)).entries()) {
        texts[some[at]?.at as number] = text
        length += text.length
      }
    }
  }
  return { rules, texts, length }
}

function isBefore(one: NumberedRule | undefined, other: NumberedRule): boolean {
  if (one === undefined) return false
  return one.seq < other.seq || (one.seq === other.seq && one.id < other.id)
}

/** One call of the encoder for all rules, which is cheaper than one for each. */
function encodeEach(rules: readonly NumberedRule[]): readonly string[] {
  const entries = rules.map((rule) => fillUp(formatEntry(rule, ',')))
  const encoded = base64url.encode(entries.join(''))
  let end = 0
  return entries.map(({ length }) => {
    const start = end
    end += (length / 3) * 4
    return encoded.slice(start, end)
  })
}

function formatEntry(rule: NumberedRule, comma: string): string {
  const { account, kind, value } = rule
  const entry = { ...(account !== null && { sub: account }), [kind]: value, ...toEntry(rule) }
  return JSON.stringify(entry) + comma
}

const NOT_ASCII = /[^\0-\x7f]/g

/** One UTF-16 code unit, as JSON may spell it. */
function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function encode(text: string): string {
  return base64url.encode(fillUp(text))
}

/** Pads JSON text to a multiple of three bytes; spaces between the items of a list have no meaning. */
function fillUp(text: string): string {
  const ascii = text.replace(NOT_ASCII, escapeUnit)
  return ascii.padEnd(Math.ceil(ascii.length / 3) * 3)
}
