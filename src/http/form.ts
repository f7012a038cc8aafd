// Strict application/x-www-form-urlencoded: malformed percent-encoding and invalid UTF-8 are errors. URLSearchParams
// would replace both by other characters, which the client did not send.

/** Decoded names and values, in order, repeated names included; undefined when the text is malformed. */
export function parseForm(text: string): readonly (readonly [name: string, value: string])[] | undefined {
  const pairs: (readonly [name: string, value: string])[] = []
  try {
    for (const pair of text.split('&')) {
      if (pair === '') continue
      const equals = pair.indexOf('=')
      const end = equals < 0 ? pair.length : equals
      pairs.push([decode(pair.slice(0, end)), decode(pair.slice(end + 1))])
    }
    return pairs
  } catch {
    return undefined
  }
}

/** Throws URIError when percent-encoding is malformed or does not give UTF-8. */
function decode(text: string): string {
  // Most names and values need no decoding, and a form may have thousands.
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  return spaced.includes('%') ? decodeURIComponent(spaced) : spaced
}

/** Whether all bytes are ASCII, so that they mean the same in every charset that a form may name. */
export function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80)
}

/** Why a form in US-ASCII or ISO-8859-1 was refused. */
export const NOT_ASCII = 'a form in this charset may contain ASCII only; send it in UTF-8'

/** Longest query string that is parsed, in characters: as many as a body may have bytes. */
export const MAX_QUERY_LENGTH = 16_384

/** The raw query string of a URL, without `?` and fragment; empty when there is none. */
export function queryOf(url: string): string {
  const start = url.indexOf('?')
  if (start < 0) return ''
  const end = url.indexOf('#', start)
  return end < 0 ? url.slice(start + 1) : url.slice(start + 1, end)
}
