// What is said to a client of the issuer, and what it answers.

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
