// Which pages may have a token, and which may read the answer from another origin (Fetch section 3.2). An origin
// counts only as the browser spells it; `null` never does. RFC 6454.

import { parseOrigin } from '../../claims/origin.ts'
import { matchOrigin, parseOriginPatterns } from '../../claims/origin-pattern.ts'

/** Facts of a request, as its browser tells them. */
export interface PageFacts {
  readonly method: string
  /** `Origin`. */
  readonly origin: string | null
  /** `Sec-Fetch-Site`. */
  readonly site: string | null
}

/** The pages of an endpoint. */
export interface EndpointOrigins {
  /** The origin that a token for this page is bound to; undefined when the page may have none. */
  admit(page: PageFacts): string | undefined
  /** Whether a page of this origin may read answers. */
  canRead(origin: string | null): boolean
}

/** The pages by `allowedOrigins` and the site's own `origin`. Throws TypeError. */
export function createEndpointOrigins(allowedOrigins: unknown, ownOrigin: unknown): EndpointOrigins {
  const own = ownOrigin === undefined ? undefined : checkOrigin(ownOrigin)
  const listed = allowedOrigins === undefined ? [] : checkList(allowedOrigins)
  const allowed = own === undefined ? listed : [...listed, own]

  return {
    admit({ method, origin, site }) {
      if (origin === null) return method === 'GET' && site === 'same-origin' ? own : undefined
      if (allowed.length > 0) return matchOrigin(allowed, origin) ? origin : undefined
      // Without a list the account's own decides, which the issuer knows; and no other site's page could read a token.
      const isOwnPage = site === null || site === 'same-origin'
      return isOwnPage && matchOrigin(['*'], origin) ? origin : undefined
    },
    canRead: (origin) => origin !== null && matchOrigin(allowed, origin),
  }
}

function checkOrigin(value: unknown): string {
  const parsed = typeof value === 'string' ? parseOrigin(value) : undefined
  if (
    parsed?.ok &&
    parsed.value.kind === 'web' &&
    URL.parse(value as string)?.href === `${parsed.value.origin}/`
  ) {
    return parsed.value.origin
  }
  throw new TypeError('origin: must be the origin of your site, like https://www.example.com')
}

function checkList(value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string')) {
    throw new TypeError('allowedOrigins: must be a list of origins')
  }
  // The list is the site's own: no stranger can put a public suffix into it.
  const patterns = parseOriginPatterns(value, () => false)
  if (!patterns.ok) throw new TypeError(`allowedOrigins: ${patterns.reason}`)
  if (patterns.value.includes('*')) {
    throw new TypeError('allowedOrigins: name them; "*" would let every page take the tokens of your users')
  }
  return patterns.value
}
