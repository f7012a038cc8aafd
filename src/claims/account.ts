// The records that everything else speaks about: accounts, their credentials, revocations, and the audit trail.
// Plain data; times are epoch milliseconds here and ISO 8601 on the wire.

/** A customer of the API provider. */
export interface Account {
  /** `acct_` and base62. */
  readonly id: string
  readonly name: string
  readonly status: 'active' | 'suspended'
  /** Canonical origin patterns, see `parseOriginPattern`. Never empty. */
  readonly allowedOrigins: readonly string[]
  /** Every scope its credentials may hold. */
  readonly scopes: readonly string[]
  /** Longest token lifetime in seconds, or null for the server's own limit. */
  readonly maxTtl: number | null
  /** Whether those of its credentials that say so too may be used from pages. */
  readonly browserPrototype: boolean
  /** Whether no token is issued without an origin. */
  readonly requireOrigin: boolean
  readonly createdAt: number
  readonly updatedAt: number
}

/** A long-lived secret of an account, as stored: the secret itself is not in it. */
export interface Credential {
  /** Base62; the client id. */
  readonly id: string
  readonly accountId: string
  readonly name: string
  /** Null: whatever the account has. */
  readonly scopes: readonly string[] | null
  readonly browserPrototype: boolean
  readonly allowLocalhost: boolean
  /** Base64url HMAC-SHA-256 of the secret; null for a credential that holds only public keys. */
  readonly secretHash: string | null
  /** Hash of the secret before the last rotation, in force until `previousExpiresAt`. */
  readonly previousHash: string | null
  readonly previousExpiresAt: number | null
  /** Registered public keys (JWK Set as JSON text), or null. */
  readonly jwks: string | null
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  readonly createdAt: number
  readonly lastUsedAt: number | null
}

/** A credential with the account that owns it: what authentication needs, in one look-up. */
export interface CredentialWithAccount {
  readonly credential: Credential
  readonly account: Account
}

/** What a revocation can name: a token, a credential or an account by the name of the claim, a signing key by `kid`. */
export type RevocationKind = 'jti' | 'client_id' | 'sub' | 'kid'

/** Every kind of revocation. */
export const revocationKinds: readonly RevocationKind[] = ['jti', 'client_id', 'sub', 'kid']

/** Ends tokens before their time. */
export interface RevocationRule {
  readonly kind: RevocationKind
  readonly value: string
  /** The only account whose tokens match, so that customers end only their own tokens. Null: any account. */
  readonly account: string | null
  /** Tokens minted before this are ended, epoch milliseconds. */
  readonly before: number
  /** No token that it can match lives longer, epoch milliseconds. */
  readonly until: number
}

/** A rule on record. */
export interface Revocation extends RevocationRule {
  /** Unique. */
  readonly id: string
  readonly createdAt: number
}

/** A rule with its place in the order of all changes, as the store lists it. */
export interface NumberedRule extends RevocationRule {
  readonly id: string
  /** Number of the change that wrote the rule last; numbers grow with each change. */
  readonly seq: number
}

/**
 * How long after a credential or an account has ended a token may still bear a mint time of then: another replica
 * remembers records for a moment, and clocks differ. As much as the greatest clock tolerance of a verifier, by which
 * a token may also live on.
 */
export const LATE_MINT_MS = 300_000

/**
 * The rule that ends every token of a credential or account that ended at `at` and never comes back.
 * `maxLifetimeMs`: the longest life of a token.
 */
export function endForGood(
  kind: 'client_id' | 'sub',
  value: string,
  at: number,
  maxLifetimeMs: number,
): RevocationRule {
  const before = at + LATE_MINT_MS
  return { kind, value, account: null, before, until: before + maxLifetimeMs }
}

/**
 * The revocation that ends every token of an account suspended at `at`. One id for each account: resuming the account
 * lifts it, which brings back the tokens that have not expired. No token is issued in between, so the rule need not move.
 */
export function endWhileSuspended(accountId: string, at: number, maxLifetimeMs: number): Revocation {
  return { ...endForGood('sub', accountId, at, maxLifetimeMs), id: suspensionId(accountId), createdAt: at }
}

/** The id of the revocation that {@link endWhileSuspended} makes. */
export function suspensionId(accountId: string): string {
  return `suspended_${accountId}`
}

/** The changes and events that the audit log records. */
export type AuditAction =
  | 'account.create'
  | 'account.update'
  | 'account.delete'
  | 'account.suspend'
  | 'account.resume'
  | 'credential.create'
  | 'credential.rotate'
  | 'credential.revoke'
  | 'revocation.create'
  | 'key.rotate'
  | 'secret_in_browser'

/** One line of the audit log. Holds no secret, token or whole address. */
export interface AuditEntry {
  /** Unique. */
  readonly id: string
  /** Epoch milliseconds. */
  readonly at: number
  /** `admin`, `cli`, `system` or a credential id. */
  readonly actor: string
  readonly action: AuditAction
  /** Id of what was changed. */
  readonly target: string
  /** Small facts about the change; no secrets. */
  readonly detail: Readonly<Record<string, unknown>> | null
}
