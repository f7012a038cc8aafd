// Decodes a JWS payload that has a long array. It works in slices, so that other requests are answered in between. Slices
// have a fixed length instead of a time limit, because on Workers the clock does not advance while code runs.

import { base64url } from 'jose'
import { isCanonicalBase64url } from '../../lib/base64url.ts'
import { findStringEnd, isJsonObject, type JsonObject, parseJson } from '../../lib/json.ts'
import { sleep } from '../../lib/timing.ts'
import { createUtf8Decoder } from '../../lib/utf8.ts'

/** Characters of a slice: about half a millisecond of work. A multiple of 4, because base64url encodes 3 bytes in 4. */
const SLICE_LENGTH = 32_768

/** Decodes base64url to UTF-8 text; undefined if it is not canonical. Rejects if the bytes are not UTF-8. */
export async function decodeBase64urlText(encoded: string): Promise<string | undefined> {
  const utf8 = createUtf8Decoder()
  let text = ''
  for (let start = 0; start < encoded.length; start += SLICE_LENGTH) {
    if (start > 0) await sleep(0)
    const slice = encoded.slice(start, start + SLICE_LENGTH)
    if (!isCanonicalBase64url(slice)) return undefined
    text += utf8.decode(base64url.decode(slice), { stream: true })
  }
  return text + utf8.decode()
}

/** The slice of a long array that is being scanned. */
interface OpenSlice {
  /** Position of its first character. */
  readonly start: number
  readonly isFirst: boolean
}

/**
 * Parses the JSON text of an object with a long array named `member`. Passes each item to `take`, which returns false to
 * refuse it. Resolves to the object, of which only the other members are complete: its array is usually empty. Undefined if
 * the text is malformed, repeats a name at any depth, has no such array, or an item was refused.
 *
 * The array is cut at commas between items, and each slice is parsed as an array of its own. The rest of the text is parsed
 * with `[]` in place of the array. The whole text is well-formed if and only if each of these parts is.
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
  let open: OpenSlice | undefined
  let rest = text

  /**
   * Parses the slice that ends at `end`; false if it is malformed or an item is refused. A slice without items is malformed,
   * unless it is the whole array.
   */
  function takeSlice({ start, isFirst }: OpenSlice, end: number, isLast: boolean): boolean {
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
        if (!takeSlice(open, position, true)) return undefined
        rest = text.slice(0, arrayStart) + text.slice(position)
        break
      }
    } else if (character === ',' && open !== undefined && depth === 2) {
      if (position - open.start < SLICE_LENGTH) continue
      if (!takeSlice(open, position, false)) return undefined
      open = { start: position + 1, isFirst: false }
      await sleep(0)
    }
  }
  const parsed = parseJson(rest)
  if (!parsed.ok || !isJsonObject(parsed.value)) return undefined
  // Not empty if the name was written with escapes, which the scan does not recognize. Then its items are taken here.
  const left = parsed.value[member]
  return Array.isArray(left) && left.every(take) ? parsed.value : undefined
}
