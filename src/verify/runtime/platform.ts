// Detects the runtime.

/**
 * Whether this is Cloudflare Workers. There, a request must not await a promise of another request, background work is
 * cancelled when its request ends, the client's address is in a header, and node:crypto is incomplete.
 */
export const isWorkers: boolean =
  (globalThis.navigator as { userAgent?: string } | undefined)?.userAgent === 'Cloudflare-Workers'
