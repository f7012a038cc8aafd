// The Bearer credential of a request (RFC 6750 section 2.1).

const BEARER = /^Bearer +(.+)$/i

/** What follows `Bearer`, as it stands; undefined when the header is absent, of another scheme, or empty. */
export function readBearer(headers: Headers): string | undefined {
  return BEARER.exec(headers.get('authorization') ?? '')?.[1]
}
