// The origins, verifier options and tokens of the cases, as data. Imports nothing.

/** The origin that most tokens are bound to. */
export const SITE = 'https://www.example.com'
/** An allowed origin too, but no token is bound to it. */
export const PARTNER = 'https://partner.example'
/** An origin that only the setup `open` allows. */
export const STRANGER = 'https://evil.example'
export const API = 'https://api.example.com'
export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://audience.example.com'
export const SUBJECT = 'acct_customer'

/** The options of one verifier that are plain data. `allowedOrigins` applies to middlewares only. */
export interface Setup {
  readonly allowedOrigins?: readonly string[] | '*'
  readonly scope?: string
  readonly trustedProxies?: string | number
  readonly forwardedHeader?: 'x-forwarded-for' | 'forwarded'
  readonly apiOrigin?: string
  readonly missingOrigin?: 'allow'
  readonly require?: readonly ('origin' | 'ip')[]
  readonly mode?: 'report'
  readonly tokenSources?: readonly ('authorization' | 'x-client-token' | 'query' | 'websocket')[]
  /** What the function `authorize` does. A harness that cannot pass functions leaves setups with it out. */
  readonly authorize?: 'no' | 'throws'
  /** What the function `revocation` does. A harness that cannot pass functions leaves setups with it out. */
  readonly revocation?: 'revoked' | 'throws'
}

/** The verifiers that the cases use, by name. Cases with the same setup share one verifier. */
export const setups = {
  plain: {},
  open: { allowedOrigins: '*' },
  scoped: { scope: 'read write' },
  proxied: { trustedProxies: 'loopback' },
  hops: { trustedProxies: 2 },
  forwarded: { trustedProxies: 'loopback', forwardedHeader: 'forwarded' },
  home: { apiOrigin: API },
  lenient: { missingOrigin: 'allow' },
  machines: { require: [] },
  bound: { require: ['origin', 'ip'] },
  report: { mode: 'report', scope: 'write' },
  query: { tokenSources: ['authorization', 'query'] },
  websocket: { tokenSources: ['websocket'] },
  unauthorized: { authorize: 'no' },
  broken: { authorize: 'throws' },
  revoked: { revocation: 'revoked' },
  outage: { revocation: 'throws' },
} as const satisfies Readonly<Record<string, Setup>>

export type SetupName = keyof typeof setups

/** How a token differs from a valid one. */
export interface TokenRecipe {
  /** Claims to replace; undefined removes a claim. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Seconds until the token expires; default 600. */
  readonly expiresIn?: number
  /** Members of the protected header to replace. */
  readonly header?: Readonly<Record<string, unknown>>
  /** The token is signed with another key than the issuer's, but has the issuer's `kid`. */
  readonly isForged?: true
  /** A change to the text of the signed token. */
  readonly mangle?: 'truncate' | 'flip' | 'pad' | 'unsign' | 'swap'
}

const THUMBPRINT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'

/** The tokens that the cases use. All except `free`, `home` and `nullOrigin` are bound to SITE. */
export const tokens = {
  good: { claims: { scope: 'read write' } },
  free: { claims: { origin: undefined } },
  home: { claims: { origin: API } },
  severalAudiences: { claims: { aud: ['https://elsewhere.example', AUDIENCE] } },
  narrow: { claims: { scope: 'read' } },
  expired: { expiresIn: -60 },
  early: { claims: { nbf: 32_503_680_000 } },
  otherIssuer: { claims: { iss: 'https://auth.evil.example' } },
  otherAudience: { claims: { aud: 'https://elsewhere.example' } },
  nullOrigin: { claims: { origin: null } },
  noAddress: { claims: { ip: [] } },
  unknownBinding: { claims: { cnf: { 'x5t#S256': THUMBPRINT } } },
  otherType: { header: { typ: 'JWT' } },
  otherKey: { header: { kid: 'nobody' }, isForged: true },
  forged: { isForged: true },
  truncated: { mangle: 'truncate' },
  flipped: { mangle: 'flip' },
  padded: { mangle: 'pad' },
  unsigned: { mangle: 'unsign' },
  swapped: { mangle: 'swap' },
  keyBound: { claims: { cnf: { jkt: THUMBPRINT } } },
  loopback: { claims: { ip: '127.0.0.1' } },
  elsewhere: { claims: { ip: '192.0.2.7' } },
  networks: { claims: { ip: ['2001:db8::/32', '203.0.113.0/24'] } },
} as const satisfies Readonly<Record<string, TokenRecipe>>

export type TokenName = keyof typeof tokens

/** The expected answer to a request. */
export interface Expected {
  /** The code of the refusal; undefined when the handler must answer. */
  readonly code?: string
  readonly status: number
  readonly challenge?: string
  /** The value of `Access-Control-Allow-Origin`; undefined when there must be none. */
  readonly allows?: string | undefined
  /** The value of `Claimgate-Would-Block`, which middlewares and forward auth set, not createVerifier. */
  readonly wouldBlock?: string
  /** The request is a preflight, which middlewares and forward auth answer, not createVerifier. */
  readonly isPreflight?: true
}

/**
 * One request and the expected answer. In headers and path, `{name}` is replaced by the token of that name. A header with a
 * list of values is sent as several lines.
 */
export interface Case {
  readonly name: string
  readonly setup: SetupName
  readonly method: string
  /** The path without the leading `/`. Middlewares of all setups share one server, where `/<setup>/` is put before it. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly expected: Expected
  /** The expected answer in workerd, where it differs. */
  readonly workerd?: Expected
}

const BEARER_OR_DPOP = 'Bearer, DPoP algs="ES256 EdDSA Ed25519"'
const PROOF = 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA Ed25519"'

const REFUSED: Readonly<Record<string, Partial<Expected>>> = {
  invalid_request: { status: 400, challenge: 'Bearer error="invalid_request"' },
  insufficient_scope: { status: 403, challenge: 'Bearer error="insufficient_scope"' },
  proof_required: { challenge: PROOF },
  missing_token: { challenge: BEARER_OR_DPOP },
}

/** The expected refusal with this code. A page of SITE may read it, unless `more` replaces `allows`. */
export function refused(code: string, more: Partial<Expected> = {}): Expected {
  return {
    code,
    status: 401,
    challenge: 'Bearer error="invalid_token"',
    allows: SITE,
    ...REFUSED[code],
    ...more,
  }
}

/** Replaces each `{name}` in a text of a case by its token. */
export function fillTokens(text: string, minted: Readonly<Record<TokenName, string>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: TokenName) => minted[name])
}
