// Revocations: rules that end tokens before they expire. Times are epoch milliseconds. The issuer's own checks read the
// rules from the store; remote verifiers get the same rules in the signed list.

import type { ClaimsSet } from '../claims-set.ts'

/** What a revocation names: a token (`jti`), a credential (`client_id`), an account (`sub`) or a signing key (`kid`). */
export type RevocationKind = 'jti' | 'client_id' | 'sub' | 'kid'

/** Every kind of revocation, in no particular order. */
export const revocationKinds: readonly RevocationKind[] = ['jti', 'client_id', 'sub', 'kid']

/** Ends the tokens whose claim `kind` (for `kid`: header member) is `value`. */
export interface RevocationRule<Kind extends string = RevocationKind> {
  readonly kind: Kind
  readonly value: string
  /** Only tokens of this account match, so that a customer can end only their own tokens. Null: of any account. */
  readonly account: string | null
  /** Only tokens whose `iat` is earlier are ended. */
  readonly before: number
  /** When the rule expires. Every token that it can match has expired by then. */
  readonly until: number
}

/** A rule as it is written to the store. */
export interface Revocation extends RevocationRule {
  /** Unique among all revocations of the store. */
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
 * Added to the times of rules, milliseconds. After a credential or account was ended, another replica may still issue a
 * token for it for this long, because replicas cache records for a moment and clocks differ. It is also the largest clock
 * tolerance of a verifier, which accepts an expired token for that long.
 */
export const REVOCATION_MARGIN_MS = 300_000

/**
 * The rule that ends every token of a credential (`client_id`) or account (`sub`) that was ended permanently at `at`, epoch
 * milliseconds. `maxLifetimeMs` is the longest lifetime of any token of the service, milliseconds.
 */
export function endForGood(
  kind: 'client_id' | 'sub',
  value: string,
  at: number,
  maxLifetimeMs: number,
): RevocationRule {
  const before = at + REVOCATION_MARGIN_MS
  return { kind, value, account: null, before, until: before + maxLifetimeMs }
}

/**
 * The revocation that ends every token of an account suspended at `at`, epoch milliseconds. Its id depends on the account
 * only, so that resuming the account can lift it; tokens that have not expired are accepted again then. A suspended
 * account gets no new tokens, so the rule is never extended.
 */
export function endWhileSuspended(accountId: string, at: number, maxLifetimeMs: number): Revocation {
  return { ...endForGood('sub', accountId, at, maxLifetimeMs), id: suspensionId(accountId), createdAt: at }
}

/** The id of the revocation that {@link endWhileSuspended} makes. */
export function suspensionId(accountId: string): string {
  return `suspended_${accountId}`
}

/** Epoch milliseconds as a NumericDate (RFC 7519 section 2). Rounded up, because `iat` has whole seconds. */
export function roundUpToSeconds(ms: number): number {
  return Math.ceil(ms / 1000)
}

/** Kinds of the entries in a signed list. An entry can also name a `user` claim, and then names the account too. */
export type ListedKind = RevocationKind | 'user'

/** Rules in memory, indexed by kind, value and account. */
export interface RevocationIndex<Rule extends RevocationRule<ListedKind>> {
  add(rule: Rule): void
  /** Removes this object. An equal one stays. */
  remove(rule: Rule): void
  /** Rules with this kind, value and account. */
  find(named: Pick<Rule, 'kind' | 'value' | 'account'>): readonly Rule[]
  /** All rules, grouped by kind, value and account. */
  groups(): Iterable<readonly Rule[]>
  /** Whether a rule ends the token with these claims, signed by the key `kid`, at `now` (epoch seconds). */
  isListed(claims: TokenClaims, kid: string, now: number): boolean
}

type TokenClaims = ClaimsSet & { readonly user?: unknown }

/** Creates an empty index. The issuer's own check and the verifier library both use it, so that they agree. */
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
      const isEndedBy = (kind: ListedKind, value: string): boolean =>
        ofAnyAccount[kind].get(value)?.some(ends) === true ||
        (ofOneAccount[kind].size > 0 && ofOneAccount[kind].get(pairOf(sub, value))?.some(ends) === true)
      return (
        isEndedBy('jti', jti) ||
        isEndedBy('client_id', client_id) ||
        isEndedBy('sub', sub) ||
        isEndedBy('kid', kid) ||
        (typeof user === 'string' && isEndedBy('user', user))
      )
    },
  }
}

function createMaps<Rule>(): Readonly<Record<ListedKind, Map<string, Rule[]>>> {
  return { jti: new Map(), client_id: new Map(), sub: new Map(), kid: new Map(), user: new Map() }
}

/** A text that is different for each pair of account and value. */
function pairOf(account: string, value: string): string {
  return `${account.length}:${account}${value}`
}

/** Whether a rule that names the token ends it at `now` (epoch seconds). */
function endsToken({ before, until }: RevocationRule<ListedKind>, claims: ClaimsSet, now: number): boolean {
  // With clock tolerance a token is accepted after its `exp`, so also after the rule expired. The rule still ends it if
  // `exp` is not after the rule's end.
  const isInForce = now * 1000 < until || claims.exp <= roundUpToSeconds(until)
  return claims.iat < roundUpToSeconds(before) && isInForce
}
