// The tables as Kysely types. Booleans are 0 or 1, times are epoch milliseconds, lists and objects are JSON text.

/** A row of `accounts`; see `Account`. */
export interface AccountRow {
  id: string
  name: string
  status: string
  allowed_origins: string
  scopes: string
  max_ttl: number | null
  browser_prototype: number
  require_origin: number
  created_at: number
  updated_at: number
}

/** A row of `account_origins`: a copy of one entry of `accounts.allowed_origins`, to find accounts by pattern. */
export interface AccountOriginRow {
  pattern: string
  account_id: string
}

/** A row of `credentials`; see `Credential`. */
export interface CredentialRow {
  id: string
  account_id: string
  name: string
  scopes: string | null
  browser_prototype: number
  allow_localhost: number
  secret_hash: string | null
  previous_hash: string | null
  previous_expires_at: number | null
  jwks: string | null
  expires_at: number | null
  revoked_at: number | null
  created_at: number
  last_used_at: number | null
}

/** A row of `revocations`; see `Revocation`. */
export interface RevocationRow {
  id: string
  kind: string
  value: string
  before: number
  until: number
  created_at: number
  seq: number
  account_id: string | null
}

/** A row of `used_assertions`: a `jti` that a client has used; kept until `expires_at`. */
export interface UsedAssertionRow {
  client_id: string
  jti: string
  expires_at: number
}

/** A row of `audit`; see `AuditEntry`. */
export interface AuditRow {
  id: string
  at: number
  actor: string
  action: string
  target: string
  detail: string | null
}

/** A row of `signing_keys`. `sealed` is the encrypted key, a JWE; see keys.ts. */
export interface SigningKeyRow {
  kid: string
  alg: string
  state: string
  created_at: number
  current_since: number | null
  expires_at: number | null
  sealed: string
}

/** A row of `marks`: a named number that never decreases. */
export interface MarkRow {
  name: string
  value: number
}

/** The mark that holds the number of the last change of revocations. */
export const RULE_SEQ = 'revocation_seq'

/** The mark that holds the longest token lifetime ever recorded, seconds. */
export const LONGEST_LIFETIME = 'longest_lifetime'

/** Every table by its name. */
export interface Tables {
  accounts: AccountRow
  account_origins: AccountOriginRow
  credentials: CredentialRow
  revocations: RevocationRow
  used_assertions: UsedAssertionRow
  audit: AuditRow
  signing_keys: SigningKeyRow
  marks: MarkRow
  claimgate_migrations: { name: string }
}
