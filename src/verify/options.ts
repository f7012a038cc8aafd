// What may be said to a verifier, and the faults of saying it wrong: a TypeError when it is made, never later.

import type { JWK } from 'jose'
import type { ClaimsSet } from '../claims/claims-set.ts'
import type { ForwardedHeader } from '../claims/client-ip.ts'
import type { ClaimErrorCode } from '../claims/codes.ts'
import type { RequiredBound, Step } from '../claims/enforce.ts'
import type { MaybePromise } from '../lib/result.ts'
import type { RequestLike, TokenSource } from './extract.ts'

/** Verified claims under their wire names, frozen. Times are epoch seconds. */
export type Claims = ClaimsSet

/** What was decided on a request. */
export interface Decision {
  /** `would_block`: refused by a rule that report mode lets pass. */
  readonly outcome: 'allow' | 'deny' | 'would_block'
  /** Why not; absent on `allow`. */
  readonly code?: ClaimErrorCode
  /** The check that failed; absent on `allow`. */
  readonly step?: Step
  /** Claims of the token once they were right, whatever its bounds said. */
  readonly claims?: Claims
}

/** Where the keys come from: exactly one of the three. */
export type KeyOptions =
  | {
      /** URL of the issuer's JWK Set: https, or http on loopback (see `allowInsecureIssuer`). */
      readonly jwksUri: string
      readonly jwks?: never
      readonly secret?: never
    }
  | {
      /** Pinned keys; `oct` keys are welcome here. */
      readonly jwks: { readonly keys: readonly JWK[] }
      readonly jwksUri?: never
      readonly secret?: never
    }
  | {
      /**
       * HS256: text or bytes, at least 32 bytes, or an `oct` JWK whose `kid` tokens must name. Text and bytes have no
       * `kid`: a revocation by `kid` does not end their tokens.
       */
      readonly secret: string | Uint8Array | JWK
      readonly jwksUri?: never
      readonly jwks?: never
    }

/** Where to learn of revocations. */
export interface RevocationFeed {
  /** URL of the issuer's signed feed: https, or http on loopback (see `allowInsecureIssuer`). */
  readonly url: string
  /** Seconds between polls; 2. */
  readonly refreshSeconds?: number
  /** Age, in seconds from the `iat` that its issuer signed, at which a feed is stale; 60. */
  readonly maxStaleSeconds?: number
  /** What then: go on with what is known, or refuse everything with `unavailable`. `accept`. */
  readonly onStale?: 'accept' | 'refuse'
}

/** A store of used proofs, for APIs with several processes. */
export interface ReplayStore {
  /**
   * Writes as well as reads, in one atomic step: records `key` until `expiresAt` (epoch seconds), and resolves to whether
   * it was recorded before. `key` is 43 base64url characters. A rejection, or a value that is no boolean, refuses the
   * request with `unavailable`.
   */
  seen(key: string, expiresAt: number): Promise<boolean>
}

/** Options of a verifier beside its keys. */
export interface VerifierRules {
  /** The `iss` that tokens must bear. */
  readonly issuer: string
  /** The `aud` of this API; any of several. */
  readonly audience: string | readonly string[]
  /** Seconds of clock difference that are forgiven, 0 to 300; 5. */
  readonly clockTolerance?: number
  /** What becomes of an origin-bound token without an origin in the request; `reject`. */
  readonly missingOrigin?: 'reject' | 'allow'
  /** Public origin of this API: for same-origin requests, and for proofs. */
  readonly apiOrigin?: string
  /**
   * Bounds that every token must carry; `["origin"]`. `[]` where machines call too: tokens of the OAuth, MultiSet and
   * AI Fabrix endpoints have no origin unless one was asked for.
   */
  readonly require?: readonly RequiredBound[]
  /** `report`: bounds are judged and told, not enforced; form, signature and time always are. `enforce`. */
  readonly mode?: 'enforce' | 'report'
  /** Proxies whose forwarded header counts: addresses, CIDRs, `loopback`, or a hop count; none. */
  readonly trustedProxies?: string | readonly string[] | number
  /** The one header that proxies write; `x-forwarded-for`. */
  readonly forwardedHeader?: ForwardedHeader
  /** Where tokens are looked for; `["authorization", "x-client-token"]`. */
  readonly tokenSources?: readonly TokenSource[]
  /** Scopes that every token must hold; none. Text: separated by spaces. */
  readonly scope?: string | readonly string[]
  /** The API's own last word; false or a throw refuses with `insufficient_scope`. */
  readonly authorize?: (claims: Claims, request: RequestLike) => MaybePromise<boolean>
  /** Whether a token was ended: a function that says so, or the issuer's feed. */
  readonly revocation?: ((claims: Claims) => MaybePromise<boolean>) | RevocationFeed
  /** Memory for proofs of key-bound tokens; this process's own. */
  readonly replay?: ReplayStore
  /** Tokens that are remembered; `{ max: 10000 }`. */
  readonly cache?: false | { readonly max: number }
  /**
   * Whether `jwksUri` and `revocation.url` may be `http:` on other machines than this one; false. Only for a private
   * network: anybody on the path could replace the keys.
   */
  readonly allowInsecureIssuer?: boolean
  /** Told of each decision, once; what it throws is swallowed. */
  readonly onDecision?: (decision: Decision) => void
}

/** Options of `createVerifier`. */
export type VerifierOptions = VerifierRules & KeyOptions
