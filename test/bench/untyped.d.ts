// What the benchmark uses of two packages that ship no types.

declare module 'autocannon' {
  interface Options {
    readonly url: string
    readonly method: 'GET' | 'POST'
    readonly headers: Readonly<Record<string, string>>
    readonly body: string | undefined
    /** Sent in turn by each connection; `setupRequest` is asked before every one, with what stands above. */
    readonly requests: readonly { readonly setupRequest: (given: object) => object }[] | undefined
    readonly connections: number
    /** Seconds. */
    readonly duration: number
    /** Milliseconds between samples; a run ends at one. */
    readonly sampleInt: number
  }
  interface Outcome {
    readonly '2xx': number
    readonly non2xx: number
    /** Connections that failed, and time-outs. */
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
