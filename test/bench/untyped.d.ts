// Types for the parts of two untyped packages that the benchmark uses.

declare module 'autocannon' {
  interface Options {
    readonly url: string
    readonly method: 'GET' | 'POST'
    readonly headers: Readonly<Record<string, string>>
    readonly body: string | undefined
    /** Each connection sends these in turn. `setupRequest` is called before each request, with the options above. */
    readonly requests: readonly { readonly setupRequest: (given: object) => object }[] | undefined
    readonly connections: number
    /** Duration of the run in seconds. */
    readonly duration?: number
    /** Number of requests in all, instead of a duration. */
    readonly amount?: number
    /** Milliseconds between samples. A run ends with a sample. */
    readonly sampleInt: number
  }
  interface Outcome {
    readonly '2xx': number
    readonly non2xx: number
    /** Number of failed connections and timeouts. */
    readonly errors: number
  }
  interface Run extends PromiseLike<Outcome> {
    on(
      event: 'response',
      listener: (client: unknown, status: number, bytes: number, milliseconds: number) => void,
    ): void
  }
  function autocannon(options: Options): Run
  export = autocannon
}

declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http'
  export class Provider {
    constructor(issuer: string, configuration: object)
    callback(): RequestListener
  }
}
