// The stored records: accounts, their credentials, and the audit log. Times are epoch milliseconds here, and RFC 3339
// texts in the API.

/** A customer of the API provider. */
export interface Account {
  /** `acct_` followed by base62 characters. */
  readonly id: string
  readonly name: string
  readonly status: 'active' | 'suspended'
  /** Canonical origin patterns, see `parseOriginPattern`. Never empty. */
  readonly allowedOrigins: readonly string[]
  /** The scopes that its credentials may have. */
  readonly scopes: readonly string[]
  /** Longest token lifetime in seconds, or null for the server's own limit. */
  readonly maxTtl: number | null
  /** Whether credentials that also have `browserPrototype` may be used from pages. */
  readonly browserPrototype: boolean
  /** Whether every token that is issued for the account must be bound to an origin. */
  readonly requireOrigin: boolean
  readonly createdAt: number
  readonly updatedAt: number
}

/** A long-lived credential of an account, as stored: with the hash of its secret, never the secret. */
export interface Credential {
  /** The client id: base62 characters. */
  readonly id: string
  readonly accountId: string
  readonly name: string
  /** Null: all scopes of the account. */
  readonly scopes: readonly string[] | null
  /** Whether pages may use the secret. Has no effect unless the account has `browserPrototype` too. */
  readonly browserPrototype: boolean
  /** Whether pages on localhost may use the secret too, although the account does not list their origins. */
  readonly allowLocalhost: boolean
  /** Base64url HMAC-SHA-256 of the secret; null for a credential that holds only public keys. */
  readonly secretHash: string | null
  /** Hash of the secret before the last rotation, which is accepted until `previousExpiresAt`. */
  readonly previousHash: string | null
  readonly previousExpiresAt: number | null
  /** Registered public keys (JWK Set as JSON text), or null. */
  readonly jwks: string | null
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  readonly createdAt: number
  readonly lastUsedAt: number | null
}

/** A credential with its account, which authentication reads together. */
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

/** One entry of the audit log. Contains no secret, token or whole address. */
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
  /** Details of the change; no secrets. */
  readonly detail: Readonly<Record<string, unknown>> | null
}
