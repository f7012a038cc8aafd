// Options of a client-token endpoint.

import type { EndpointSettings } from './claim-types.ts'
import type { ClaimRequestError } from './error.ts'

/** What the function of `authenticate` answers: anything but `true` and `"public"` is a no. */
export type Admitted = boolean | 'public'

/** Options of an endpoint whose requests are of type `R`. Settings that are absent are the client's. */
export interface EndpointOptions<R> extends EndpointSettings {
  /** Who may have a token: a function that knows your users by their session, or `"public"`: everybody. */
  readonly authenticate: ((request: R) => Admitted | Promise<Admitted>) | 'public'
  /**
   * Origins of the pages that may have a token, and read it from another origin (CORS with credentials): origins,
   * `https://*.example.com`, `http://localhost:*`; never `*`. Absent: the site's own pages, of an origin that the
   * account allows.
   */
  readonly allowedOrigins?: readonly string[] | undefined
  /** The site's own origin, for a same-origin GET, which browsers send without `Origin`. */
  readonly origin?: string | undefined
  /** Whether GET is answered like POST; false. */
  readonly allowGet?: boolean | undefined
  /** Path or URL of this endpoint as the page reaches it; the path of the request. */
  readonly clientTokenUri?: string | undefined
  /** Seconds of life to ask for, from 10; the issuer's default. */
  readonly expiresIn?: number | undefined
  /** Scope to ask for, separated by spaces; all that the credential holds. */
  readonly scope?: string | undefined
  /** Whether the answer tells the page `baseUrl`, the issuer, the client id and this endpoint; true. */
  readonly includeConfig?: boolean | undefined
  /** URL of the API that the page calls; required unless `includeConfig` is false. */
  readonly baseUrl?: string | undefined
  /** Whether tokens are bound to the address of the page's visitor; false. */
  readonly bindIp?: boolean | undefined
  /** Proxies before this backend whose `X-Forwarded-For` counts: addresses, CIDRs, `loopback`, or a hop count; none. */
  readonly trustedProxies?: string | readonly string[] | number | undefined
  /**
   * Told of what the page is not told: why there was no token for a request that should have one. By itself one line
   * on `console.error`, without secrets.
   */
  readonly onError?: ((error: ClaimRequestError | Error, requestId: string) => void) | undefined
}
