// What the service uses of the runtime's own module on Cloudflare Workers.

declare module 'cloudflare:workers' {
  /** Keeps work of the current request alive after its answer, up to 30 s. */
  export function waitUntil(work: Promise<unknown>): void
}
