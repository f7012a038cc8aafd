// GET /.well-known/jwks.json: the public keys, for anybody (RFC 7517 section 5). Cacheable, with an entity tag.

import type { Handler } from '../http/context.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import type { Cors, CorsHeaders } from '../verify/cors.ts'

/** Public documents are for every page: no secret is in them and no credential is looked at. */
export const publicCors: Cors = {
  headersFor: (): CorsHeaders => ({ 'access-control-allow-origin': '*' }),
  preflightHeaders: (): CorsHeaders => ({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, HEAD',
    'access-control-allow-headers': '*',
    'access-control-max-age': '7200',
  }),
}

/** The handler, serving the keys of `ring`. */
export function createKeySetHandler(ring: Pick<KeyRing, 'publicKeySet'>): Handler {
  return (context) => {
    const { body, etag } = ring.publicKeySet
    const headers = { 'cache-control': 'public, max-age=300, stale-while-revalidate=600', etag }
    return matchesTag(context.request.headers.get('if-none-match'), etag)
      ? context.answer(304, null, headers)
      : context.answer(200, body, { ...headers, 'content-type': 'application/json' })
  }
}

/** RFC 9110 section 13.1.2: a list of tags, compared weakly, or `*`. */
function matchesTag(header: string | null, etag: string): boolean {
  if (header === null) return false
  return header === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
