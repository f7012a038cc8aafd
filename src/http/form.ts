// application/x-www-form-urlencoded, strictly: malformed percent-encoding and invalid UTF-8 are faults
// (URLSearchParams would repair both and hand us something nobody sent).

/** Names and values in order; undefined when the text is malformed. */
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

/** Throws URIError on a malformed escape or one that is not UTF-8. */
function decode(text: string): string {
  // Most texts need no decoding, and a form may have thousands.
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  return spaced.includes('%') ? decodeURIComponent(spaced) : spaced
}

/** Longest query string that is parsed, in characters: the same as the limit of a body. */
export const MAX_QUERY_LENGTH = 16_384

/** The query string of a URL without its question mark; empty when there is none. */
export function queryOf(url: string): string {
  const start = url.indexOf('?')
  if (start < 0) return ''
  const end = url.indexOf('#', start)
  return end < 0 ? url.slice(start + 1) : url.slice(start + 1, end)
}
