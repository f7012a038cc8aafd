// What is said to a client of the issuer, and what it answers.

import type { ClaimRequestError } from './error.ts'

/** Settings of a client-token endpoint that come with a client, for the endpoints made of it. */
export interface EndpointSettings {
  /** Path or URL of the endpoint, as the page reaches it. */
  readonly clientTokenUri?: string | undefined
  /** Origins of the pages. */
  readonly allowedOrigins?: readonly string[] | undefined
  /** URL of the API that the page calls. */
  readonly baseUrl?: string | undefined
}

/** One credential in either spelling. Undefined or empty: a client that can claim nothing. */
export type ClientCredential =
  | {
      /** Account token, `cgk_…`. */
      readonly token: string | undefined
      readonly clientId?: undefined
      readonly clientSecret?: undefined
    }
  | {
      readonly token?: undefined
      readonly clientId: string | undefined
      readonly clientSecret: string | undefined
    }

/** Options of `createClaimClient`. */
export type ClaimClientOptions = ClientCredential &
  EndpointSettings & {
    /** URL of the issuer: https, or http on this machine. */
    readonly issuer: string | undefined
    /**
     * Whether the issuer may be `http:` on another machine; false. Only for a private network: the credential is sent
     * there, and anybody between could read it.
     */
    readonly allowInsecureIssuer?: boolean | undefined
  }

/** A claim. The issuer judges it. */
export interface ClaimRequest {
  /** Origin (or any URL) of the page that will use the token. */
  readonly origin: string
  /** Addresses or CIDRs of the page's visitor, up to four; none. */
  readonly ip?: string | readonly string[] | undefined
  /** Separated by spaces; all that the credential holds. */
  readonly scope?: string | undefined
  /** Seconds, from 10; the issuer's default. */
  readonly expiresIn?: number | undefined
  /** RFC 7638 thumbprint of the page's key: the token is then bound to it. */
  readonly jkt?: string | undefined
}

/** A token for a page. */
export interface ClaimAnswer {
  readonly token: string
  readonly tokenType: 'Bearer' | 'DPoP'
  /** Seconds of life at the moment of issue. */
  readonly expiresIn: number
  /** ISO 8601. */
  readonly expiresAt: string
  /** `MM-DD-YYYY HH:MM`, UTC. */
  readonly expiration: string
  readonly origin: string
  readonly ip?: string | readonly string[]
  readonly scope?: string
}

/** A token for the backend itself. */
export interface TokenAnswer {
  readonly token: string
  readonly tokenType: 'Bearer'
  /** Seconds of life at the moment of issue. */
  readonly expiresIn: number
  readonly scope?: string
}

/** A client of one issuer with one credential. */
export interface ClaimClient {
  /** URL of the issuer, without trailing slash. */
  readonly issuer: string | undefined
  readonly clientId: string | undefined
  /** For endpoints made of this client; their own options come first. */
  readonly settings: EndpointSettings
  /** A token for a page, bound to its origin. Rejects with a `ClaimRequestError`. */
  claim(request: ClaimRequest): Promise<ClaimAnswer>
  /** A token for the backend's own calls, bound to nothing (RFC 6749 section 4.4). Rejects likewise. */
  token(request?: { readonly scope?: string | undefined }): Promise<TokenAnswer>
}

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
