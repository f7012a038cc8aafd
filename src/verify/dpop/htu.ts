// The URL of a proof beside that of its request (RFC 9449 section 4.3 step 9): equal once both are normalised by
// syntax and by scheme (RFC 3986 sections 6.2.2 and 6.2.3), without query and fragment. Only http and https, and no
// user information; nothing is repaired that is no URI.

/** Scheme, host, port and path. */
const PARTS =
  /^(https?):\/\/((?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})+|\[[\da-f:.]+\])(?::(\d*))?(\/[^?#]*)?(?:[?#]|$)/i
/** Scheme and authority, where a request has them; then its path. */
const TARGET = /^(?:[a-z][a-z\d+.-]*:\/\/[^/?#]*)?([^?#]*)/i
const TRIPLET = /%[\da-f]{2}/gi
const UNRESERVED = /[\w.~-]/
/** No URI holds these, and URL parsers differ on which of them they encode. */
const FOREIGN = /[ "<>\\^`{|}]/g

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' }

/**
 * What `htu` must say for a request to this API: its origin and the path of `url`, which may be absolute (its own
 * authority then counts for nothing) or begin with a slash. Undefined for a target without a path, such as `*`.
 */
export function resolveTarget(apiOrigin: string, url: string): string | undefined {
  const path = TARGET.exec(url)?.[1] ?? ''
  return path === '' || path.startsWith('/') ? apiOrigin + path : undefined
}

/** Whether two URLs are the same, query and fragment aside. */
export function isSameTarget(htu: string, target: string): boolean {
  const normal = normalizeTarget(htu)
  return normal !== undefined && normal === normalizeTarget(target)
}

/** The one spelling of an absolute http(s) URL, without query and fragment; undefined when it is none. */
export function normalizeTarget(uri: string): string | undefined {
  const parts = PARTS.exec(uri)
  if (parts === null) return undefined
  const [, scheme = '', host = '', port = '', path = '/'] = parts
  const lower = scheme.toLowerCase()
  const suffix = port === '' || port === DEFAULT_PORTS[lower] ? '' : `:${port}`
  const normalPath = normalizeTriplets(path).replace(FOREIGN, encodeURIComponent)
  // Lower case reaches the hexadecimal digits too: on both sides alike.
  return `${lower}://${normalizeTriplets(host).toLowerCase()}${suffix}${removeDotSegments(normalPath)}`
}

/** Decodes what need not be encoded, and writes the rest in upper case (RFC 3986 sections 6.2.2.1 and 6.2.2.2). */
function normalizeTriplets(text: string): string {
  return text.replace(TRIPLET, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
    return UNRESERVED.test(character) ? character : triplet.toUpperCase()
  })
}

/** RFC 3986 section 5.2.4, for a path that begins with a slash. */
function removeDotSegments(path: string): string {
  if (!path.includes('/.')) return path
  const kept: string[] = []
  for (const segment of path.slice(1).split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  // What ends in a dot segment names a folder.
  if (/\/\.\.?$/.test(path)) kept.push('')
  return `/${kept.join('/')}`
}
