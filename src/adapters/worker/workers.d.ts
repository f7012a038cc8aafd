// Types for the part of `cloudflare:workers`, a built-in module of the Workers runtime, that the service uses.

declare module 'cloudflare:workers' {
  /** Lets `work` of the current request continue after its response was sent, for at most 30 s. */
  export function waitUntil(work: Promise<unknown>): void
}
