// application/x-www-form-urlencoded, strictly: malformed percent-encoding and invalid UTF-8 are faults
// (URLSearchParams would repair both and hand us something nobody sent).

/** Names and values in order; undefined when the text is malformed. */
export function parseForm(text: string): readonly (readonly [name: string, value: string])[] | undefined {
  try {
    return text
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const equals = pair.indexOf('=')
        return equals < 0
          ? ([decode(pair), ''] as const)
          : ([decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))] as const)
      })
  } catch {
    return undefined
  }
}

/** Throws URIError on a malformed escape or one that is not UTF-8. */
function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

/** The query string of a URL without its question mark; empty when there is none. */
export function queryOf(url: string): string {
  const start = url.indexOf('?')
  if (start < 0) return ''
  const end = url.indexOf('#', start)
  return end < 0 ? url.slice(start + 1) : url.slice(start + 1, end)
}
