// Writes the signing input of a JWS (RFC 7515 section 5.1) whose payload is an object that ends in a long array, in slices
// between which other requests are answered. Each item is ASCII text, padded with spaces to a multiple of three bytes, so
// that its base64url does not depend on the other items: an unchanged item is encoded only once. The bytes depend only on
// the members and items, so replicas write the same.

import { base64url } from 'jose'
import { sleep } from '../../lib/timing.ts'

/** A payload: its members, and the array that follows them. */
export interface LongArray<Item> {
  /** The members before the array; at least one. */
  readonly members: Readonly<Record<string, string | number>>
  /** The member name of the array. */
  readonly name: string
  /** In the order of `isBefore`. */
  readonly items: readonly Item[]
  /** Whether an item is written. */
  readonly isIncluded: (item: Item) => boolean
}

/** A payload that is ready to be signed. */
export interface SigningInput {
  readonly input: Uint8Array<ArrayBuffer>
  /** The whole JWS with this signature. */
  finish(signature: string): Uint8Array<ArrayBuffer>
}

/** Writes a payload behind a protected header in base64url. */
export type WriteLongArray<Item> = (header: string, payload: LongArray<Item>) => Promise<SigningInput>

/** How items are written and ordered. */
export interface ItemFormat<Item> {
  /** An item as JSON text. */
  readonly format: (item: Item) => string
  /** Whether an item comes before another, in every array that is written. */
  readonly isBefore: (one: Item, other: Item) => boolean
}

/** How many items are encoded, or copied, before the event loop runs other work. Each takes about half a millisecond. */
const ENCODED_TOGETHER = 500
const COPIED_TOGETHER = 4000
/** Bytes for the end of the payload, a dot and a signature. */
const END_BYTES = 128

const utf8 = new TextEncoder()

/** Creates a writer that keeps the encoded items of its last array. */
export function createArrayWriter<Item>({ format, isBefore }: ItemFormat<Item>): WriteLongArray<Item> {
  let known: EncodedItems<Item> = { items: [], texts: [], length: 0 }

  /** Encodes items; takes the texts of unchanged ones from the last array. */
  async function encodeItems(items: readonly Item[], last: EncodedItems<Item>): Promise<EncodedItems<Item>> {
    const texts: string[] = []
    let length = 0
    let next = 0
    const isPassed = (item: Item): boolean => {
      const candidate = last.items[next]
      return candidate !== undefined && candidate !== item && isBefore(candidate, item)
    }
    for (let from = 0; from < items.length; from += COPIED_TOGETHER) {
      if (from > 0) await sleep(0)
      const fresh: { readonly at: number; readonly item: Item }[] = []
      for (const item of items.slice(from, from + COPIED_TOGETHER)) {
        while (isPassed(item)) next += 1
        const text = last.items[next] === item ? last.texts[next] : undefined
        if (text === undefined) fresh.push({ at: texts.length, item })
        texts.push(text ?? '')
        length += text?.length ?? 0
      }
      for (let start = 0; start < fresh.length; start += ENCODED_TOGETHER) {
        if (start > 0) await sleep(0)
        const some = fresh.slice(start, start + ENCODED_TOGETHER)
        for (const [at, text] of encodeEach(some.map(({ item }) => `${format(item)},`)).entries()) {
          texts[some[at]?.at as number] = text
          length += text.length
        }
      }
    }
    return { items, texts, length }
  }

  return async (header, { members, name, items, isIncluded }) => {
    const encoded = await encodeItems(items, known)
    known = encoded
    const start = `${header}.${encode(`${JSON.stringify(members).slice(0, -1)},${JSON.stringify(name)}:[`)}`
    // Space for all items, including those that are left out.
    const bytes = new Uint8Array(start.length + encoded.length + END_BYTES)
    let length = 0
    const write = (text: string): void => {
      length += utf8.encodeInto(text, bytes.subarray(length)).written
    }

    const last = items.findLastIndex(isIncluded)
    write(start)
    for (let from = 0; from < last; from += COPIED_TOGETHER) {
      if (from > 0) await sleep(0)
      const some = items.slice(from, Math.min(from + COPIED_TOGETHER, last))
      write(some.map((item, at) => (isIncluded(item) ? encoded.texts[from + at] : '')).join(''))
    }
    // The last item is written without its comma.
    if (last >= 0) write(encode(format(items[last] as Item)))
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

interface EncodedItems<Item> {
  readonly items: readonly Item[]
  /** Each item with a comma, in base64url. */
  readonly texts: readonly string[]
  /** Total length of `texts`, characters. */
  readonly length: number
}

/** Encodes each text. One call of the encoder for all of them is cheaper than one for each. */
function encodeEach(texts: readonly string[]): readonly string[] {
  const padded = texts.map(padText)
  const encoded = base64url.encode(padded.join(''))
  let end = 0
  return padded.map(({ length }) => {
    const start = end
    end += (length / 3) * 4
    return encoded.slice(start, end)
  })
}

function encode(text: string): string {
  return base64url.encode(padText(text))
}

const NOT_ASCII = /[^\0-\x7f]/g

/** JSON text in ASCII, padded to a multiple of three bytes. JSON ignores spaces between the items of an array. */
function padText(text: string): string {
  const ascii = text.replace(NOT_ASCII, escapeUnit)
  return ascii.padEnd(Math.ceil(ascii.length / 3) * 3)
}

/** The JSON escape of a UTF-16 code unit. */
function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}
