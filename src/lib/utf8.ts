// Strict UTF-8: malformed bytes are an error, and a byte order mark is kept as a character. The default decoder replaces
// malformed bytes and drops the mark, so two readers of the same bytes could see different texts.

/**
 * A decoder for bytes that arrive in parts (`decode(part, { stream: true })`, then `decode()`). `decode` throws a
 * TypeError when the bytes are not well-formed UTF-8.
 */
export function createUtf8Decoder(): TextDecoder {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
}

const whole = createUtf8Decoder()

/** The text of UTF-8 bytes, a byte order mark included; undefined when they are not well-formed (RFC 3629). */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return whole.decode(bytes)
  } catch {
    return undefined
  }
}
