// The one fact about the runtime that verification must know.

/**
 * Whether this is Cloudflare Workers: there no request may await another's promise or leave work behind, the
 * client's address is in a header, and node:crypto is not all there.
 */
export const isWorkers: boolean =
  (globalThis.navigator as { userAgent?: string } | undefined)?.userAgent === 'Cloudflare-Workers'
