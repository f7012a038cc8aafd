// Revocations: rules that end tokens before they expire. Plain data; times are epoch milliseconds. The same rule goes
// from the store to the issuer's own checks and, in the signed list, to every remote verifier.

import type { ClaimsSet } from '../claims-set.ts'

/** What a revocation can name: a token, a credential or an account by the name of the claim, a signing key by `kid`. */
export type RevocationKind = 'jti' | 'client_id' | 'sub' | 'kid'

/** Every kind of revocation, in no order. */
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
  /** Unique among all revocations. */
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

/** Epoch seconds, as in JWTs (RFC 7519 section 2). Rounded up, because `iat` has whole seconds. */
export function roundUpToSeconds(ms: number): number {
  return Math.ceil(ms / 1000)
}

/** What a signed list can name: verifiers also know `user`, together with its account. */
export type ListedKind = RevocationKind | 'user'

/** Rules in memory that are found by what they name: kind, value and account. */
export interface RevocationIndex<Rule extends RevocationRule<ListedKind>> {
  add(rule: Rule): void
  /** Removes this object; another one with the same members stays. */
  remove(rule: Rule): void
  /** Rules with this kind, value and account. */
  find(named: Pick<Rule, 'kind' | 'value' | 'account'>): readonly Rule[]
  /** All rules, in groups of the same kind, value and account. */
  groups(): Iterable<readonly Rule[]>
  /** Whether a rule ends a token that was signed under `kid`, at `now` (epoch seconds). */
  isListed(claims: TokenClaims, kid: string, now: number): boolean
}

type TokenClaims = ClaimsSet & { readonly user?: unknown }

/** Creates an index without rules. The issuer's own check and remote verifiers both use it, so that they agree. */
export function createRevocationIndex<Rule extends RevocationRule<ListedKind>>(): RevocationIndex<Rule> {
  const ofAnyAccount = createMaps<Rule>()
  const ofOneAccount = createMaps<Rule>()

  type Named = Pick<Rule, 'kind' | 'value' | 'account'>
  const mapOf = ({ kind, account }: Named): Map<string, Rule[]> =>
    (account === null ? ofAnyAccount : ofOneAccount)[kind]
  const keyOf = ({ value, account }: Named): string => (account === null ? value : pairOf(account, value))
  const find = (named: Named): readonly Rule[] => mapOf(named).get(keyOf(named)) ?? []

  return {
    add(rule) {
      const others = mapOf(rule).get(keyOf(rule))
      if (others === undefined) mapOf(rule).set(keyOf(rule), [rule])
      else others.push(rule)
    },
    remove(rule) {
      const others = find(rule).filter((one) => one !== rule)
      if (others.length === 0) mapOf(rule).delete(keyOf(rule))
      else mapOf(rule).set(keyOf(rule), others)
    },
    find,
    *groups() {
      for (const maps of [ofAnyAccount, ofOneAccount]) {
        for (const map of Object.values(maps)) yield* map.values()
      }
    },
    isListed(claims, kid, now) {
      const { jti, client_id, sub, user } = claims
      const ends = (rule: Rule): boolean => endsToken(rule, claims, now)
      const isNamed = (kind: ListedKind, value: string): boolean =>
        ofAnyAccount[kind].get(value)?.some(ends) === true ||
        (ofOneAccount[kind].size > 0 && ofOneAccount[kind].get(pairOf(sub, value))?.some(ends) === true)
      return (
        isNamed('jti', jti) ||
        isNamed('client_id', client_id) ||
        isNamed('sub', sub) ||
        isNamed('kid', kid) ||
        (typeof user === 'string' && isNamed('user', user))
      )
    },
  }
}

function createMaps<Rule>(): Readonly<Record<ListedKind, Map<string, Rule[]>>> {
  return { jti: new Map(), client_id: new Map(), sub: new Map(), kid: new Map(), user: new Map() }
}

/** One text for account and value, different for each pair. */
function pairOf(account: string, value: string): string {
  return `${account.length}:${account}${value}`
}

/** Whether a rule ends a token that it names, at `now` (epoch seconds). */
function endsToken({ before, until }: RevocationRule<ListedKind>, claims: ClaimsSet, now: number): boolean {
  // Clock tolerance lets a token live longer than its rule: `exp` decides then.
  const isInForce = now * 1000 < until || claims.exp <= roundUpToSeconds(until)
  return claims.iat < roundUpToSeconds(before) && isInForce
}
