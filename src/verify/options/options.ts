// The types of a verifier's options and of what it reports. check.ts checks the values of the options.

import type { JWK } from 'jose'
import type { ClaimsSet } from '../../claims/claims-set.ts'
import type { ForwardedHeader } from '../../claims/client-ip.ts'
import type { ClaimErrorCode } from '../../claims/codes.ts'
import type { RequiredBound, Step } from '../../claims/enforce.ts'
import type { RequestLike, TokenSource } from '../request/extract.ts'

/** The claims of a verified token under their names in the JWT, deeply frozen. Times are epoch seconds. */
export type Claims = ClaimsSet

/** What `onDecision` is told about one request. It never contains the token. */
export interface Decision {
  /** `would_block`: a rule failed that `mode: "report"` does not enforce, so the request passed. */
  readonly outcome: 'allow' | 'deny' | 'would_block'
  /** The code of the check that failed; absent on `allow`. */
  readonly code?: ClaimErrorCode
  /** The check that failed; absent on `allow`. */
  readonly step?: Step
  /** The token's claims. Present only when its format, signature, issuer, audience and times are valid. */
  readonly claims?: Claims
  /** Id of the request. The answer to a refused one has it too, as `requestId` and `X-Request-Id`. */
  readonly requestId: string
}

/** Where the keys that verify tokens come from: give at most one of the three. */
export type KeyOptions =
  | {
      /**
       * URL of the issuer's JWK Set: https, or http on loopback (see `allowInsecureIssuer`). Default:
       * `<issuer>/.well-known/jwks.json`.
       */
      readonly jwksUri?: string
      readonly jwks?: never
      readonly secret?: never
    }
  | {
      /** A fixed JWK Set (RFC 7517). Shared secrets (`kty: "oct"`) are accepted here, but not from `jwksUri`. */
      readonly jwks: { readonly keys: readonly JWK[] }
      readonly jwksUri?: never
      readonly secret?: never
    }
  | {
      /**
       * A shared secret for HS256: text (as UTF-8) or bytes of at least 32 bytes, or an `oct` JWK. With a JWK, tokens must
       * have its `kid`. Text and bytes accept any `kid`, so a revocation by `kid` has no effect on their tokens.
       */
      readonly secret: string | Uint8Array | JWK
      readonly jwksUri?: never
      readonly jwks?: never
    }

/** How to follow an issuer's list of revocations. It is polled when requests arrive, not by a timer. */
export interface RevocationFeedOptions {
  /** URL of the issuer's signed list: https, or http on loopback (see `allowInsecureIssuer`). */
  readonly url: string
  /** Least seconds between two polls, above 0; default 2. */
  readonly refreshSeconds?: number
  /**
   * Seconds after its `iat` at which the last list becomes stale, at least `refreshSeconds`; default 60. A list that has
   * expired (`exp`) is stale too.
   */
  readonly maxStaleSeconds?: number
  /**
   * While the last list is stale: `accept` still uses it, `refuse` refuses every token as `unavailable`. While no list was
   * received yet, `accept` treats no token as revoked. Default `accept`.
   */
  readonly onStale?: 'accept' | 'refuse'
}

/** A store of used proofs, for APIs with several processes. */
export interface ReplayStore {
  /**
   * Writes as well as reads, in one atomic step: records `key` until `expiresAt` (epoch seconds), and resolves to whether
   * it was recorded before. `key` is 43 base64url characters. If it rejects or resolves to anything but a boolean, the
   * request is refused as `unavailable`.
   */
  seen(key: string, expiresAt: number): PromiseLike<boolean>
}

/** The options of a verifier except those for its keys. Functions may return any thenable instead of a promise. */
export interface VerifierRules {
  /** The `iss` that tokens must have, without a slash at its end. Compared as text. */
  readonly issuer: string
  /** The `aud` of this API. With a list, tokens must have one of them. */
  readonly audience: string | readonly string[]
  /** Allowed clock skew in seconds, 0 to 300; default 5. */
  readonly clockTolerance?: number
  /** Whether a token bound to an origin passes on a request without an origin; default `reject`. */
  readonly missingOrigin?: 'reject' | 'allow'
  /**
   * Public origin of this API, like `https://api.example.com`. Same-origin requests without an `Origin` header count as
   * coming from it, and a DPoP proof must be for this origin with the request's path.
   */
  readonly apiOrigin?: string
  /**
   * Bindings that every token must have; default `["origin"]`. Use `[]` if machines call this API too: tokens from the
   * OAuth, MultiSet and AI Fabrix endpoints have no origin unless the client asked for one.
   */
  readonly require?: readonly RequiredBound[]
  /**
   * `report` lets requests pass that break a rule about origin, address, key or scope, and tells `onDecision`. Format,
   * signature, issuer, audience, times and revocation are always enforced. Default `enforce`.
   */
  readonly mode?: 'enforce' | 'report'
  /**
   * Proxies whose `forwardedHeader` is trusted: a hop count (0 to 50), or addresses, CIDRs and `loopback`; default none.
   */
  readonly trustedProxies?: string | readonly string[] | number
  /** The one header in which those proxies write the client's address; default `x-forwarded-for`. */
  readonly forwardedHeader?: ForwardedHeader
  /** Where tokens are read from; default `["authorization", "x-client-token"]`. */
  readonly tokenSources?: readonly TokenSource[]
  /** Scopes that every token must have, as a list or as one text with spaces between them; default none. */
  readonly scope?: string | readonly string[]
  /**
   * A final check of your own, called after all others have passed. If it fails or returns anything but `true`, the
   * request is refused as `insufficient_scope`.
   */
  readonly authorize?: (claims: Claims, request: RequestLike) => boolean | PromiseLike<boolean>
  /**
   * How revocations are looked up: in the issuer's list, or by a function that returns whether a token is revoked. If the
   * function fails or returns anything but a boolean, the request is refused as `unavailable`. `false`: not looked up.
   * Default: with keys from a URL, the list at `revocations` next to that URL, for which a request waits at most 500 ms;
   * with other keys `false`.
   */
  readonly revocation?: ((claims: Claims) => boolean | PromiseLike<boolean>) | RevocationFeedOptions | false
  /** Where used DPoP proofs are remembered; default the memory of this process. */
  readonly replay?: ReplayStore
  /** How many verified tokens to remember, 1 to 10 000 000, or false for none; default `{ max: 10000 }`. */
  readonly cache?: false | { readonly max: number }
  /**
   * Allows http for `jwksUri` and `revocation.url` on hosts other than loopback; default false. Only for a private
   * network: anyone between the API and the issuer could replace the keys.
   */
  readonly allowInsecureIssuer?: boolean
  /** Called once for each request, with its decision. Not awaited; errors and rejections only go to `onError`. */
  readonly onDecision?: (decision: Decision) => void
  /**
   * Called with faults that are not the client's: keys or revocations that cannot be read, a missing option, a function
   * of yours that threw (then the `cause`). `requestId` is that of the refusal, when one request met the fault. The same
   * fault is told at most once a minute. Default: one line by `console.error`.
   */
  readonly onError?: (error: Error, about: { readonly requestId?: string }) => void
}

/**
 * The options of `createVerifier`: one source of keys, and the rules that tokens and requests must meet.
 *
 * @example
 * const options: VerifierOptions = {
 *   issuer: 'https://auth.example.com',
 *   audience: 'https://auth.example.com',
 *   jwksUri: 'https://auth.example.com/.well-known/jwks.json',
 *   revocation: { url: 'https://auth.example.com/.well-known/revocations' },
 * }
 */
export type VerifierOptions = VerifierRules & KeyOptions
