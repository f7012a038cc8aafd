// The issuer's revocation rules in memory, by id and by what they name. Rules are added and replaced one by one, so that a
// change costs the same whatever their number.

import type { ClaimsSet } from '../../claims/claims-set.ts'
import {
  createRevocationIndex,
  type NumberedRule,
  roundUpToSeconds,
} from '../../claims/records/revocation.ts'

/** Rules by id and by what they name. */
export interface RuleIndex {
  /** Adds a rule, or replaces the one with its id unless that is newer. Returns whether there was one with its id. */
  put(rule: NumberedRule): boolean
  /** Whether the index holds this state of the rule. False when the rule changed again between two pages of one read. */
  isLatest(rule: NumberedRule): boolean
  /** Drops up to `limit` rules that expired by `time` (epoch milliseconds); returns how many it dropped. */
  dropUntil(time: number, limit: number): number
  /** Whether a token that was signed under `kid` is ended at `now` (epoch seconds). */
  isListed(claims: ClaimsSet, kid: string, now: number): boolean
  /** Whether a rule in force at `now` (epoch milliseconds) names this signing key. */
  isKeyRevoked(kid: string, now: number): boolean
  /**
   * The latest `before` of all rules in force at `now` that name this account or credential, rounded up to a second; 0 if
   * there are none. A new token with an earlier `iat` would already be revoked. Epoch milliseconds.
   */
  endsBefore(subject: TokenSubject, now: number): number
}

/** Account and credential of a token. */
export interface TokenSubject {
  readonly accountId: string
  readonly credentialId: string
}

/** Creates an index without rules. */
export function createRuleIndex(): RuleIndex {
  const byId = new Map<string, NumberedRule>()
  const byName = createRevocationIndex<NumberedRule>()

  function remove(rule: NumberedRule): void {
    byId.delete(rule.id)
    byName.remove(rule)
  }

  return {
    put(rule) {
      const known = byId.get(rule.id)
      if (known !== undefined && known.seq >= rule.seq) return true
      if (known !== undefined) remove(known)
      byId.set(rule.id, rule)
      byName.add(rule)
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
    isListed: byName.isListed,
    isKeyRevoked: (kid, now) =>
      byName.find({ kind: 'kid', value: kid, account: null }).some(({ until }) => until > now),
    endsBefore({ accountId, credentialId }, now) {
      const ofAccount = byName.find({ kind: 'sub', value: accountId, account: null })
      const ofCredential = byName.find({ kind: 'client_id', value: credentialId, account: null })
      let latest = 0
      for (const rule of [...ofAccount, ...ofCredential]) {
        const before = roundUpToSeconds(rule.before) * 1000
        if (rule.until > now && before > latest) latest = before
      }
      return latest
    },
  }
}
