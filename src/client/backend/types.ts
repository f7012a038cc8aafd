// The types of the client and of the client-token endpoint, as their users write them.

import type { ClaimRequestError } from './error.ts'

/** Settings of a client-token endpoint. They may also be options of the client, so that `loadConfig` can read them. */
export interface EndpointSettings {
  /** Path or URL at which the page reaches the endpoint. */
  readonly clientTokenUri?: string | undefined
  /** Origins of the pages that may get a token. */
  readonly allowedOrigins?: readonly string[] | undefined
  /** URL of the API that the page calls. */
  readonly baseUrl?: string | undefined
}

/** An account token, or the client id and client secret in it. With undefined or empty values, every claim fails. */
export type ClientCredential =
  | {
      /** Account token as the provider gave it: `cgk_…`. */
      readonly token: string | undefined
      readonly clientId?: undefined
      readonly clientSecret?: undefined
    }
  | {
      readonly token?: undefined
      readonly clientId: string | undefined
      readonly clientSecret: string | undefined
    }

/** Options of `createClaimClient`: a credential, an issuer, and settings for endpoints. */
export type ClaimClientOptions = ClientCredential &
  EndpointSettings & {
    /** URL of the issuer: `https:`, or `http:` on a loopback address. */
    readonly issuer: string | undefined
    /**
     * Whether the issuer may be `http:` on another machine. Default: false. Only for a private network, because the
     * credential is sent in clear text.
     */
    readonly allowInsecureIssuer?: boolean | undefined
  }

/** Parameters of a claim. The issuer checks them. */
export interface ClaimRequest {
  /** Origin, or any URL, of the page that will use the token. */
  readonly origin: string
  /** Up to four addresses or CIDRs of the page's visitor. Default: the token is not bound to an address. */
  readonly ip?: string | readonly string[] | undefined
  /** Scopes separated by spaces. Default: all scopes of the credential. */
  readonly scope?: string | undefined
  /** Lifetime in seconds, at least 10. Default: that of the issuer. */
  readonly expiresIn?: number | undefined
  /** RFC 7638 thumbprint of the page's key, to which the token is then bound. Default: a Bearer token. */
  readonly jkt?: string | undefined
}

/** A token for a page, and what it is bound to. */
export interface ClaimAnswer {
  readonly token: string
  /** `DPoP` when the token is bound to a key. */
  readonly tokenType: 'Bearer' | 'DPoP'
  /** Lifetime in seconds, counted from the moment of issue. */
  readonly expiresIn: number
  /** The end of the lifetime, RFC 3339 in UTC. */
  readonly expiresAt: string
  /** The end of the lifetime as `MM-DD-YYYY HH:MM`, UTC. */
  readonly expiration: string
  readonly origin: string
  readonly ip?: string | readonly string[]
  readonly scope?: string
}

/** A token for the backend's own calls. */
export interface TokenAnswer {
  readonly token: string
  readonly tokenType: 'Bearer'
  /** Lifetime in seconds, counted from the moment of issue. */
  readonly expiresIn: number
  readonly scope?: string
}

/** A client of one issuer with one credential. */
export interface ClaimClient {
  /** URL of the issuer, without a slash at its end. */
  readonly issuer: string | undefined
  readonly clientId: string | undefined
  /** Which options and variables are missing, in one line for a log; undefined when issuer and credential are there. */
  readonly notConfigured?: string | undefined
  /** Defaults for the endpoints that use this client. */
  readonly settings: EndpointSettings
  /**
   * Claims a token for a page, bound to the page's origin.
   *
   * @throws {ClaimRequestError} when there is no token: not configured, refused, or no answer within 5 s.
   */
  claim(request: ClaimRequest): Promise<ClaimAnswer>
  /**
   * Gets a token for the backend's own calls, which is not bound to an origin (RFC 6749 section 4.4).
   *
   * @throws {ClaimRequestError} as `claim` does.
   */
  token(request?: { readonly scope?: string | undefined }): Promise<TokenAnswer>
}

/** Result of an `authenticate` function: true and `"public"` allow a token, every other value refuses it. */
export type Admitted = boolean | 'public'

/** The second argument of `onError`. */
export interface ErrorContext {
  /** The id of the refused request, which its answer has as `requestId` and `X-Request-Id`. */
  readonly requestId?: string
}

/** Options of a client-token endpoint. `R` is the type of the server's requests. */
export interface EndpointOptions<R> extends EndpointSettings {
  /**
   * Decides who may get a token, usually by the session cookie of your site. Its result may be a promise or any other
   * thenable; when it throws or rejects, the answer is 500. `"public"` in its place gives everybody a token.
   */
  readonly authenticate: ((request: R) => Admitted | PromiseLike<Admitted>) | 'public'
  /**
   * Origins of the pages that may get a token and read the answer (CORS with credentials). An entry is an origin, a wildcard
   * like `https://*.example.com` or `http://localhost:*`, but never `*` alone. Default: the client's list. Without any list,
   * `origin` is the only one; without that too, pages of the endpoint's own origin get a token if the account allows it.
   */
  readonly allowedOrigins?: readonly string[] | undefined
  /** Origin of your site, always allowed. Needed for GET requests of its pages, which browsers send without `Origin`. */
  readonly origin?: string | undefined
  /**
   * Request headers that pages of other origins may send, such as `X-CSRF-Token`, in addition to `Content-Type` and those of
   * tracing. Default: none.
   */
  readonly allowedHeaders?: readonly string[] | undefined
  /** Answer headers that pages of other origins may read in addition to `Retry-After` and `X-Request-Id`. Default: none. */
  readonly exposedHeaders?: readonly string[] | undefined
  /** Whether GET is answered like POST. Default: false. */
  readonly allowGet?: boolean | undefined
  /** Path or URL at which the page reaches this endpoint. Default: the client's, else the path of the request. */
  readonly clientTokenUri?: string | undefined
  /** Lifetime of the tokens in seconds, at least 10. Default: that of the issuer. */
  readonly expiresIn?: number | undefined
  /** Scopes of the tokens, separated by spaces. Default: all scopes of the credential. */
  readonly scope?: string | undefined
  /** Whether the answer contains `config`: `baseUrl`, `issuer`, `clientId` and `clientTokenUri`. Default: true. */
  readonly includeConfig?: boolean | undefined
  /** URL of the API that the page calls. Required unless `includeConfig` is false. Default: the client's. */
  readonly baseUrl?: string | undefined
  /** Whether tokens are bound to the address of the page's visitor. Default: false. */
  readonly bindIp?: boolean | undefined
  /**
   * Proxies in front of this backend, whose `X-Forwarded-For` names the visitor's address: addresses, CIDRs, `loopback`, or
   * the number of proxies. Used by `bindIp` only. Default: none.
   */
  readonly trustedProxies?: string | readonly string[] | number | undefined
  /**
   * Called with the reason when a request fails and the page is not the cause: the issuer refused or did not answer, a
   * function of yours threw (the error's `cause` is what it threw), or body or address could not be read. The page does not
   * get this reason. Also called once, without `requestId`, when the endpoint is created and its client has no issuer or no
   * credential. Errors of the client contain no secret. Exceptions and rejections of `onError` are ignored. Default: one line on `console.error`.
   */
  readonly onError?: ((error: ClaimRequestError | Error, context: ErrorContext) => void) | undefined
}
