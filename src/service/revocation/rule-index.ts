// Revocation rules in memory, indexed by the name that they end. Rules are added and replaced one by one, so that the
// cost of a change is independent of their number. Agrees with a remote verifier's list (verify/revocation/list.ts).

import type { ClaimsSet } from '../../claims/claims-set.ts'
import type { NumberedRule, RevocationKind } from '../../claims/revocation.ts'
import type { RevocationEntry } from '../../verify/revocation/list.ts'

/** Rules by id and by what they name. */
export interface RuleIndex {
  /**
   * Adds a rule, or replaces the one with its id unless that is newer. Returns whether there was one with its id.
   */
  put(rule: NumberedRule): boolean
  /** Whether a rule is here in this state: it may have changed again between two pages of one read. */
  isLatest(rule: NumberedRule): boolean
  /** Drops up to `limit` rules whose `until` is not after `time`, epoch milliseconds; returns how many it dropped. */
  dropUntil(time: number, limit: number): number
  /** Whether a token signed under `kid` is ended at `now` (epoch seconds). */
  isListed(claims: ClaimsSet, kid: string, now: number): boolean
  /** Whether a rule in force at `now` (epoch milliseconds) names this signing key. */
  isKeyRevoked(kid: string, now: number): boolean
  /**
   * The latest moment before which a rule in force at `now` ends tokens of this account or credential; 0: none. A token
   * with an earlier `iat` would be ended when it is issued. Epoch milliseconds.
   */
  endsBefore(subject: TokenSubject, now: number): number
}

/** Account and credential of a token. */
export interface TokenSubject {
  readonly accountId: string
  readonly credentialId: string
}

/** Times as JWTs have them (RFC 7519 section 2), rounded up: mint times are whole seconds. */
export function toEntry({ before, until }: Pick<NumberedRule, 'before' | 'until'>): RevocationEntry {
  return { before: Math.ceil(before / 1000), until: Math.ceil(until / 1000) }
}

export function createRuleIndex(): RuleIndex {
  const byId = new Map<string, NumberedRule>()
  const byName: Readonly<Record<RevocationKind, Map<string, readonly NumberedRule[]>>> = {
    jti: new Map(),
    client_id: new Map(),
    sub: new Map(),
    kid: new Map(),
  }

  function remove({ id, kind, value }: NumberedRule): void {
    byId.delete(id)
    const rest = byName[kind].get(value)?.filter((rule) => rule.id !== id) ?? []
    if (rest.length === 0) byName[kind].delete(value)
    else byName[kind].set(value, rest)
  }

  const find = (kind: RevocationKind, value: string): readonly NumberedRule[] =>
    byName[kind].get(value) ?? NO_RULES

  return {
    put(rule) {
      const known = byId.get(rule.id)
      if (known !== undefined && known.seq >= rule.seq) return true
      if (known !== undefined) remove(known)
      byId.set(rule.id, rule)
      byName[rule.kind].set(rule.value, [...find(rule.kind, rule.value), rule])
      return known !== undefined
    },
    isLatest: ({ id, seq }) => byId.get(id)?.seq === seq,
    dropUntil(time, limit) {
      let dropped = 0
      for (const rule of byId.values()) {
        if (dropped === limit) break
        if (rule.until > time) continue
        remove(rule)
        dropped += 1
      }
      return dropped
    },
    isListed(claims, kid, now) {
      const ends = (rule: NumberedRule): boolean => endsToken(rule, claims, now)
      return (
        find('jti', claims.jti).some(ends) ||
        find('client_id', claims.client_id).some(ends) ||
        find('sub', claims.sub).some(ends) ||
        find('kid', kid).some(ends)
      )
    },
    isKeyRevoked: (kid, now) => find('kid', kid).some(({ until }) => until > now),
    endsBefore({ accountId, credentialId }, now) {
      let latest = 0
      for (const rule of [...find('sub', accountId), ...find('client_id', credentialId)]) {
        // `iat` has whole seconds.
        const before = Math.ceil(rule.before / 1000) * 1000
        if (rule.until > now && before > latest) latest = before
      }
      return latest
    },
  }
}

const NO_RULES: readonly NumberedRule[] = []

/** Also ends a token that has expired before `until` but is still accepted because of the clock tolerance. */
function endsToken(rule: NumberedRule, claims: ClaimsSet, now: number): boolean {
  if (rule.account !== null && rule.account !== claims.sub) return false
  const { before, until } = toEntry(rule)
  // By the millisecond: a rule that was lifted must not last until its second is over.
  return claims.iat < before && (now * 1000 < rule.until || claims.exp <= until)
}
