// Revocations: rules that end tokens before they expire. Plain data; times are epoch milliseconds. The same rule goes
// from the store to the issuer's own checks and, in the signed list, to every remote verifier.

/** What a revocation can name: a token, a credential or an account by the name of the claim, a signing key by `kid`. */
export type RevocationKind = 'jti' | 'client_id' | 'sub' | 'kid'

/** Every kind of revocation. */
export const revocationKinds: readonly RevocationKind[] = ['jti', 'client_id', 'sub', 'kid']

/** Ends the tokens that have `value` under the name `kind`. */
export interface RevocationRule<Kind extends string = RevocationKind> {
  readonly kind: Kind
  readonly value: string
  /** Only tokens of this account match, so that customers can end only their own. Null: tokens of any account. */
  readonly account: string | null
  /** Tokens with an earlier `iat` are ended. */
  readonly before: number
  /** When the rule expires. Every token that it can match has expired by then. */
  readonly until: number
}

/** A rule as it is written to the store. */
export interface Revocation extends RevocationRule {
  /** Unique. */
  readonly id: string
  readonly createdAt: number
}

/** A rule as it is read from the store. */
export interface NumberedRule extends RevocationRule {
  readonly id: string
  /** Number of the last change that wrote this rule. Every change of rules has a higher number than the one before. */
  readonly seq: number
}

/**
 * How long after the end of a credential or account a token may still get an earlier `iat`: other replicas cache records
 * for a moment, and clocks differ. Equal to the largest clock tolerance of a verifier, which also lets an expired token
 * pass for that long.
 */
export const LATE_MINT_MS = 300_000

/**
 * The rule that ends every token of a credential or account that was ended permanently at `at` (epoch milliseconds).
 * `maxLifetimeMs` is the longest lifetime of a token.
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
 * The revocation that ends every token of an account suspended at `at` (epoch milliseconds). Its id depends on the
 * account only: resuming the account lifts it, and tokens that have not expired work again. A suspended account gets no
 * tokens, so the rule never has to be extended.
 */
export function endWhileSuspended(accountId: string, at: number, maxLifetimeMs: number): Revocation {
  return { ...endForGood('sub', accountId, at, maxLifetimeMs), id: suspensionId(accountId), createdAt: at }
}

/** The id of the revocation that {@link endWhileSuspended} makes. */
export function suspensionId(accountId: string): string {
  return `suspended_${accountId}`
}
