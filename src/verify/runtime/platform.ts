// Which runtime this is.

/**
 * Whether this is Cloudflare Workers. There a request must not await a promise of another request, its background work
 * ends with it, the client address is in a header, and node:crypto is incomplete.
 */
export const isWorkers: boolean =
  (globalThis.navigator as { userAgent?: string } | undefined)?.userAgent === 'Cloudflare-Workers'
