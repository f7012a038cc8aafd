// What the cases are made of: origins, verifiers as data, and tokens as data. Imports nothing.

export const SITE = 'https://www.example.com'
export const PARTNER = 'https://partner.example'
/** Allowed to nobody. */
export const STRANGER = 'https://evil.example'
export const API = 'https://api.example.com'
export const ISSUER = 'https://auth.example.com'
export const AUDIENCE = 'https://audience.example.com'
export const SUBJECT = 'acct_customer'

/** Options of a verifier that are data; `allowedOrigins` are a middleware's. */
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
  /** Functions, by what they do: a harness without functions leaves these setups out. */
  readonly authorize?: 'no' | 'throws'
  readonly revocation?: 'revoked' | 'throws'
}

/** Every verifier that the cases need; those of one name are one verifier. */
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

/** How a token differs from a good one. */
export interface TokenRecipe {
  /** Claims that replace, or with undefined remove, those of a good token. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Seconds from now to its end; 600. */
  readonly expiresIn?: number
  readonly header?: Readonly<Record<string, unknown>>
  /** Signed by a key that is not the issuer's, under the issuer's key id. */
  readonly isForged?: true
  /** What is done to the finished text. */
  readonly mangle?: 'truncate' | 'flip' | 'pad' | 'unsign' | 'swap'
}

const THUMBPRINT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'

/** Every token that the cases need; all but `free` and `home` are bound to SITE. */
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

/** What must come of a request. */
export interface Expected {
  /** Undefined: the handler answers. */
  readonly code?: string
  readonly status: number
  readonly challenge?: string
  /** `Access-Control-Allow-Origin`; undefined: none. */
  readonly allows?: string | undefined
  /** Of a middleware in report mode; elsewhere the request passes without it. */
  readonly wouldBlock?: string
  /** The answer to a preflight: for middlewares only. */
  readonly isPreflight?: true
}

/** One request. In headers and path, `{name}` stands for the token of that name, and a list for several lines. */
export interface Case {
  readonly name: string
  readonly setup: SetupName
  readonly method: string
  /** Below the verifier's own path. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly expected: Expected
  /** In workerd, where that differs. */
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

/** A refusal that SITE can read, unless `more` says otherwise. */
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

/** A text of a case with its tokens in place. */
export function fillTokens(text: string, minted: Readonly<Record<TokenName, string>>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: TokenName) => minted[name])
}
