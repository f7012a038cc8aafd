// Compares the URL in a proof with that of its request (RFC 9449 section 4.3 step 9). Both are normalized by syntax and
// scheme (RFC 3986 sections 6.2.2 and 6.2.3) and compared without query and fragment. Only http and https URLs without user
// information have a normal form. A malformed scheme, host or port is refused. A path is not checked.

/** Scheme, host, port and path. */
const PARTS =
  /^(https?):\/\/((?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})+|\[[\da-f:.]+\])(?::(\d*))?(\/[^?#]*)?(?:[?#]|$)/i
/** An optional scheme and authority, then the path. */
const TARGET = /^(?:[a-z][a-z\d+.-]*:\/\/[^/?#]*)?([^?#]*)/i
const TRIPLET = /%[\da-f]{2}/gi
const UNRESERVED = /[\w.~-]/
/** Not allowed in a URI (RFC 3986 section 2). Encoded here, because URL parsers differ on which of them they encode. */
const FOREIGN = /[ "<>\\^`{|}]/g

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: '80', https: '443' }

/**
 * The `htu` that a proof must have for a request to this API: the API's origin with the path of `url`. `url` may be a path
 * or an absolute URL, whose scheme and authority are ignored. Undefined if it is neither, such as `*`.
 */
export function resolveTarget(apiOrigin: string, url: string): string | undefined {
  const path = TARGET.exec(url)?.[1] ?? ''
  return path === '' || path.startsWith('/') ? apiOrigin + path : undefined
}

/** Whether two URLs are equal after normalization, ignoring query and fragment. False if `htu` is not an http(s) URL. */
export function isSameTarget(htu: string, target: string): boolean {
  const normal = normalizeTarget(htu)
  return normal !== undefined && normal === normalizeTarget(target)
}

/** The normal form of an absolute http(s) URL, without query and fragment; undefined for any other text. */
export function normalizeTarget(uri: string): string | undefined {
  const parts = PARTS.exec(uri)
  if (parts === null) return undefined
  const [, scheme = '', host = '', port = '', path = '/'] = parts
  const lower = scheme.toLowerCase()
  const suffix = port === '' || port === DEFAULT_PORTS[lower] ? '' : `:${port}`
  const normalPath = normalizeTriplets(path).replace(FOREIGN, encodeURIComponent)
  // This also changes the hexadecimal digits of triplets in the host to lower case, in both URLs that are compared.
  return `${lower}://${normalizeTriplets(host).toLowerCase()}${suffix}${removeDotSegments(normalPath)}`
}

/** Decodes triplets of unreserved characters, and changes others to upper case (RFC 3986 sections 6.2.2.1 and 6.2.2.2). */
function normalizeTriplets(text: string): string {
  return text.replace(TRIPLET, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
    return UNRESERVED.test(character) ? character : triplet.toUpperCase()
  })
}

/** Removes `.` and `..` from a path that begins with a slash (RFC 3986 section 5.2.4). */
function removeDotSegments(path: string): string {
  if (!path.includes('/.')) return path
  const kept: string[] = []
  for (const segment of path.slice(1).split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  // A path that ends in a dot segment keeps its final slash.
  if (/\/\.\.?$/.test(path)) kept.push('')
  return `/${kept.join('/')}`
}
