// GET /.well-known/jwks.json: the public keys as a JWK Set (RFC 7517 section 5). Public, cacheable, with an entity tag.

import { type Handler, matchesTag } from '../http/context.ts'
import type { KeyRing } from '../signing/key-ring.ts'

/** Creates the handler. It reads the ring's key set on each request, so that a rotation is visible immediately. */
export function createKeySetHandler(ring: Pick<KeyRing, 'publicKeySet'>): Handler {
  return (context) => {
    const { body, etag } = ring.publicKeySet
    const headers = { 'cache-control': 'public, max-age=300, stale-while-revalidate=600', etag }
    return matchesTag(context.request.headers.get('if-none-match'), etag)
      ? context.answer(304, null, headers)
      : context.answer(200, body, { ...headers, 'content-type': 'application/json' })
  }
}
