// The stored records: accounts, their credentials, and the audit log.
// Plain data; times are epoch milliseconds here and ISO 8601 on the wire.

/** A customer of the API provider. */
export interface Account {
  /** `acct_` followed by base62 characters. */
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
  /** The client id: base62 characters. */
  readonly id: string
  readonly accountId: string
  readonly name: string
  /** Null: all scopes of the account. */
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
  /** Unique id, which sorts by time within one process. */
  readonly id: string
  /** When it happened, epoch milliseconds. */
  readonly at: number
  /** `admin`, `cli`, `system` or a credential id. */
  readonly actor: string
  readonly action: AuditAction
  /** Id of what was changed. */
  readonly target: string
  /** Small facts about the change; no secrets. */
  readonly detail: Readonly<Record<string, unknown>> | null
}
