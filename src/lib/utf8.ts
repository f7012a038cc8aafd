// Bytes as text, strictly: what is not UTF-8 is no text, and a byte order mark is a character like any other
// (the usual decoders repair the one and drop the other, and two readers of the same bytes then disagree).

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text, or undefined when the bytes are not well-formed UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}
