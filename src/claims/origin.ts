// One origin (RFC 6454 section 6.2): the canonical text of what a customer wrote. Refuses what is not a whole origin, and
// an internationalised host name (IDN) that another JavaScript engine could read as another host.

import { fail, ok, type Result } from '../lib/result.ts'

/**
 * A canonical origin. `web`: scheme and ASCII host of an http(s) URL, and its port unless it is the scheme's default.
 * `app`: the origin of an installed application, such as `capacitor://localhost`: the scheme in lower case, and the host as the
 * application writes it.
 */
export type ParsedOrigin = { readonly kind: 'web' | 'app'; readonly origin: string }

/** An origin that is already canonical, the common case. Its last label is not a number, so it is not an IPv4 address. */
const PLAIN = /^https?:\/\/((?:[a-z0-9_-]{1,63}\.)*[a-z][a-z0-9_-]{0,62})$/

/** An http(s) URL up to its path. The URL standard skips extra slashes, so the authority starts after all of them. */
const WEB = /^https?:\/\/+([^/?#]*)/i

/** The host need not be a DNS name: `app://.` is the origin of a desktop app, and a Safari extension has a UUID in upper case. */
const APP = /^([a-z][a-z0-9+.-]*)(:\/\/([a-z0-9._-]+)(?::([1-9][0-9]{0,4}))?)$/i

/**
 * Schemes that no app has as its origin. No page is loaded from `ftp:`, `ws:` or `wss:`. A page loaded from one of the
 * others has an opaque origin or the origin of the page that created it.
 */
const NEVER_APP = new Set('about blob data file filesystem ftp javascript ws wss'.split(' '))

const WRITE_WHOLE = 'write the whole origin, like https://www.example.com'
const NO_NAME = `a host name has labels of 1 to 63 characters and at most 253 in all: ${WRITE_WHOLE}`

/** About twice the length of the longest host name: escapes and some letters are longer than their canonical form. */
const MAX_AUTHORITY_LENGTH = 512

/**
 * The canonical origin of an http(s) URL (path, query and fragment are dropped) or of an app origin, which must not have a
 * path. The reason of a failure is a sentence for the customer, without the text itself.
 * Not checked: whether the host exists, is public, or is allowed for any account.
 * Example: `HTTPS://www.Example.com:443/a` gives `https://www.example.com`.
 */
export function parseOrigin(text: string): Result<ParsedOrigin, string> {
  const plain = PLAIN.exec(text)?.[1]
  if (plain !== undefined && plain.length <= 253 && !plain.includes('xn--')) {
    return ok({ kind: 'web', origin: text })
  }
  const web = WEB.exec(text)
  return web === null ? parseAppOrigin(text) : parseWebOrigin(text, web[1] as string)
}

function parseWebOrigin(text: string, authority: string): Result<ParsedOrigin, string> {
  // Refused before parsing, because the cost of parsing a host name grows with the square of its length.
  if (authority.length > MAX_AUTHORITY_LENGTH) return fail(NO_NAME)
  // The URL standard strips or accepts these. A value that contains them probably means another host than its author thinks.
  if (/[\0- \x7f\p{White_Space}\\@]/u.test(authority)) {
    return fail(`an origin has no blank, backslash, user name or password: ${WRITE_WHOLE}`)
  }
  const url = parseUrl(text)
  if (url === null) return fail(`this is not a URL that a browser understands: ${WRITE_WHOLE}`)
  if (url.hostname.includes('*')) return fail(`an origin is one host, not a wildcard: ${WRITE_WHOLE}`)
  if (!isName(url.hostname.replace(/\.$/, ''))) {
    return fail(NO_NAME)
  }
  if (!isStable(url.hostname)) {
    return fail(`the internationalised host name (xn--) is not valid: ${WRITE_WHOLE}`)
  }
  return ok({ kind: 'web', origin: url.origin })
}

function parseAppOrigin(text: string): Result<ParsedOrigin, string> {
  const [, given = '', rest = '', host = '', port = '1'] = APP.exec(text) ?? []
  const scheme = given.toLowerCase()
  if (host === '' || host.length > 253 || NEVER_APP.has(scheme) || Number(port) > 65_535) {
    return fail(`${WRITE_WHOLE} (an app's has a scheme and a host only, like capacitor://localhost)`)
  }
  return ok({ kind: 'app', origin: scheme + rest })
}

/** Whether labels and length are those of a DNS name (RFC 1035 section 2.3.4), without its trailing dot. */
function isName(host: string): boolean {
  return host.length <= 253 && host.split('.').every((label) => label.length >= 1 && label.length <= 63)
}

/**
 * Parses the text as a URL after normalizing it to NFC: some releases of Node and workerd do not normalize `ô` + dot below
 * in a host, as the URL standard requires.
 */
function parseUrl(text: string): URL | null {
  return URL.parse(text.normalize('NFC'))
}

/**
 * Whether converting the host's `xn--` labels to Unicode and back gives the same host. URL parsers differ for hosts where it
 * does not: newer ones accept any ASCII name unchanged, older ones check each label.
 */
function isStable(host: string): boolean {
  const labels = host.split('.')
  if (!labels.some((label) => label.startsWith('xn--'))) return true
  const unicode = labels.map((label) => (label.startsWith('xn--') ? decodePunycode(label.slice(4)) : label))
  return parseUrl(`http://${unicode.join('.')}`)?.hostname === host
}

/** The Unicode text of a Punycode label (RFC 3492 section 6.2); U+FFFD, which no host may contain, when malformed. */
function decodePunycode(label: string): string {
  const basicEnd = Math.max(label.lastIndexOf('-'), 0)
  const output = Array.from(label.slice(0, basicEnd), (character) => character.charCodeAt(0))
  let [position, codePoint, index, bias] = [basicEnd === 0 ? 0 : basicEnd + 1, 128, 0, 72]
  while (position < label.length) {
    const start = index
    for (let weight = 1, threshold = 0, digit = 36, k = 36; digit >= threshold; k += 36) {
      digit = (Number.parseInt(label.charAt(position++), 36) + 26) % 36 // a-z are 0 to 25, 0-9 are 26 to 35
      if (Number.isNaN(digit)) return '\ufffd'
      index += digit * weight
      threshold = Math.min(Math.max(k - bias, 1), 26)
      weight *= 36 - threshold
    }
    const length = output.length + 1
    bias = adaptBias(index - start, length, start === 0)
    codePoint += Math.floor(index / length)
    if (codePoint > 0x10ffff) return '\ufffd'
    index %= length
    output.splice(index++, 0, codePoint)
  }
  return String.fromCodePoint(...output)
}

/** The bias of Punycode after each character (RFC 3492 section 6.1). */
function adaptBias(delta: number, length: number, first: boolean): number {
  let scaled = Math.floor(delta / (first ? 700 : 2))
  scaled += Math.floor(scaled / length)
  let bias = 0
  for (; scaled > 455; bias += 36) scaled = Math.floor(scaled / 35)
  return bias + Math.floor((36 * scaled) / (scaled + 38))
}
