// Revocation rules in memory, found by what they name: added and replaced one by one, so that a change of one rule costs
// nothing for the others. Says of a token what a remote verifier's list says of it (verify/revocation-list.ts).

import type { NumberedRule, RevocationKind } from '../claims/account.ts'
import type { ClaimsSet } from '../claims/claims-set.ts'
import type { RevocationEntry } from '../verify/revocation-list.ts'

/** Rules by id and by what they name. */
export interface RuleIndex {
  /**
   * Adds a rule, or replaces the one with its id; an older state of a rule changes nothing. Whether there was one with its
   * id already.
   */
  put(rule: NumberedRule): boolean
  /** Drops up to `limit` rules whose `until` is not after `time`, epoch milliseconds; gives how many there were. */
  dropUntil(time: number, limit: number): number
  /** Whether a token signed under `kid` is ended at `now` (epoch seconds). */
  isListed(claims: ClaimsSet, kid: string, now: number): boolean
  /** Whether a rule in force at `now` (epoch milliseconds) names this signing key. */
  isKeyRevoked(kid: string, now: number): boolean
  /**
   * The latest moment before which a rule in force at `now` ends tokens of this account or credential; 0: none. A token
   * with an earlier `iat` would be dead on arrival. Epoch milliseconds.
   */
  endsBefore(subject: TokenSubject, now: number): number
}

/** For whom a token is made. */
export interface TokenSubject {
  readonly accountId: string
  readonly credentialId: string
}

/** Times as JWTs have them (RFC 7519 section 2), rounded up: mint times are whole seconds. */
export function toEntry({ before, until }: Pick<NumberedRule, 'before' | 'until'>): RevocationEntry {
  return { before: Math.ceil(before / 1000), until: Math.ceil(until / 1000) }
}

/** An index without rules. */
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
        // Tokens tell their time in whole seconds.
        const before = Math.ceil(rule.before / 1000) * 1000
        if (rule.until > now && before > latest) latest = before
      }
      return latest
    },
  }
}

const NO_RULES: readonly NumberedRule[] = []

/** A token that lives on by clock tolerance is still one that the rule was made for. */
function endsToken(rule: NumberedRule, claims: ClaimsSet, now: number): boolean {
  if (rule.account !== null && rule.account !== claims.sub) return false
  const { before, until } = toEntry(rule)
  // By the millisecond: a rule that was lifted must not last until its second is over.
  return claims.iat < before && (now * 1000 < rule.until || claims.exp <= until)
}
