// Work on a large document in pieces, so that a server answers requests in between. Pieces have a fixed size instead of
// a fixed time, because on Workers the clock does not advance while code runs.

import { base64url } from 'jose'
import { isCanonicalBase64url } from '../../lib/base64url.ts'
import { findStringEnd, isJsonObject, type JsonObject, parseJson } from '../../lib/json.ts'
import { createUtf8Decoder } from '../../lib/utf8.ts'

/** Characters of a piece, a multiple of 4 so that base64url is cut between groups. About half a millisecond of work. */
const PIECE_LENGTH = 32_768

/** Lets the event loop run other work. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}

/** The UTF-8 text in canonical base64url, or undefined when it is not canonical. Rejects when it is not UTF-8. */
export async function decodeBase64urlText(encoded: string): Promise<string | undefined> {
  const utf8 = createUtf8Decoder()
  let text = ''
  for (let start = 0; start < encoded.length; start += PIECE_LENGTH) {
    if (start > 0) await pause()
    const piece = encoded.slice(start, start + PIECE_LENGTH)
    if (!isCanonicalBase64url(piece)) return undefined
    text += utf8.decode(base64url.decode(piece), { stream: true })
  }
  return text + utf8.decode()
}

/** The piece of a long array that is not parsed yet. */
interface OpenPiece {
  /** Position of its first character. */
  readonly start: number
  readonly isFirst: boolean
}

/**
 * Parses the JSON text of an object whose array `member` may be long. Each item of the array goes to `take`, which
 * returns false when it is wrong; the other members are returned. Undefined when the text is malformed, repeats a name
 * at any depth, has no such array, or when an item was wrong.
 *
 * The array is cut at commas between its items, and each piece is parsed on its own; what is left, with `[]` in its
 * place, is parsed as the object. All of them are well-formed only when the whole text is.
 */
export async function parseLongArray(
  text: string,
  member: string,
  take: (item: unknown) => boolean,
): Promise<JsonObject | undefined> {
  const quotedMember = JSON.stringify(member)
  let depth = 0
  let lastString = ''
  let arrayStart = -1
  let open: OpenPiece | undefined
  let rest = text

  /** Whether the text up to `end` holds items that are right. Only an empty array has a piece without any. */
  function takePiece({ start, isFirst }: OpenPiece, end: number, isLast: boolean): boolean {
    const parsed = parseJson(`[${text.slice(start, end)}]`)
    const items = parsed.ok && Array.isArray(parsed.value) ? parsed.value : undefined
    if (items === undefined || (items.length === 0 && !(isFirst && isLast))) return false
    return items.every(take)
  }

  for (let position = 0; position < text.length; position += 1) {
    const character = text[position]
    if (character === '"') {
      const end = findStringEnd(text, position)
      if (end < 0) return undefined
      if (depth === 1) lastString = text.slice(position, end + 1)
      position = end
    } else if (character === '[' || character === '{') {
      depth += 1
      if (character === '[' && depth === 2 && lastString === quotedMember) {
        arrayStart = position + 1
        open = { start: arrayStart, isFirst: true }
      }
    } else if (character === ']' || character === '}') {
      depth -= 1
      if (open !== undefined && depth === 1) {
        if (!takePiece(open, position, true)) return undefined
        rest = text.slice(0, arrayStart) + text.slice(position)
        break
      }
    } else if (character === ',' && open !== undefined && depth === 2) {
      if (position - open.start < PIECE_LENGTH) continue
      if (!takePiece(open, position, false)) return undefined
      open = { start: position + 1, isFirst: false }
      await pause()
    }
  }
  const parsed = parseJson(rest)
  if (!parsed.ok || !isJsonObject(parsed.value)) return undefined
  // Empty, unless the member's name was spelled with escapes: then nothing was cut out.
  const left = parsed.value[member]
  return Array.isArray(left) && left.every(take) ? parsed.value : undefined
}
