// Revocations in the memory of this process. Each rule has the number of the last change that wrote it.

import { type NumberedRule, REVOCATION_MARGIN_MS, type Revocation } from '../claims/records/revocation.ts'
import { freezeDeep } from '../lib/freeze.ts'
import type { BudgetedRevocation, RevocationBudget, RuleChange, RulePosition } from './storage.ts'

/** The revocations of one store. Each write is one change with its own number. */
export interface MemoryRules {
  has(id: string): boolean
  /** Changes rules as `Storage.updateAccount` does. `now`, at which rules are lifted, is epoch milliseconds. */
  change(rules: RuleChange, now: number): void
  /** The result that `Storage.addCustomerRevocation` would have. Adds nothing. */
  checkBudget(revocation: Revocation, budget: RevocationBudget): BudgetedRevocation
  raise(id: string, before: number, until: number): void
  purge(until: number): void
  /** Number of the last change. */
  seq(): number
  list(after: RulePosition, limit: number): readonly NumberedRule[]
  /** All revocations in force at `now`, epoch milliseconds, in no particular order. */
  listLive(now: number): readonly Revocation[]
}

/** Creates an empty set of revocations. */
export function createMemoryRules(): MemoryRules {
  const rules = new Map<string, Revocation & NumberedRule>()
  let seq = 1

  function write(changed: readonly Revocation[]): void {
    if (changed.length === 0) return
    seq += 1
    for (const rule of changed) rules.set(rule.id, freezeDeep({ ...rule, seq }))
  }

  return {
    has: (id) => rules.has(id),
    change({ put, lift }, now) {
      // Before `now`, so that it has also expired for verifiers whose clocks are behind, or that round up to whole
      // seconds.
      const until = now - REVOCATION_MARGIN_MS
      const lifted = lift.flatMap((id) => rules.get(id) ?? []).filter((rule) => rule.until > until)
      write([...put, ...lifted.map((rule) => ({ ...rule, until }))])
    },
    checkBudget({ id, account, createdAt: now }, budget) {
      if (rules.has(id)) return { outcome: 'repeated' }
      const live = [...rules.values()].filter((rule) => rule.account !== null && rule.until > now)
      const own = live.filter((rule) => rule.account === account)
      if (own.length >= budget.ofAccount) {
        return { outcome: 'account_full', until: Math.min(...own.map(({ until }) => until)) }
      }
      return { outcome: live.length >= budget.ofAll ? 'all_full' : 'added' }
    },
    raise(id, before, until) {
      const rule = rules.get(id)
      if (rule && rule.before < before) write([{ ...rule, before, until: Math.max(rule.until, until) }])
    },
    purge(until) {
      for (const rule of [...rules.values()]) if (rule.until <= until) rules.delete(rule.id)
    },
    seq: () => seq,
    list: (after, limit) =>
      [...rules.values()]
        .filter((rule) => compareNumbers(rule, after) > 0)
        .sort(compareNumbers)
        .slice(0, limit)
        .map(({ createdAt: _, ...rule }) => freezeDeep(rule)),
    listLive: (now) =>
      [...rules.values()]
        .filter(({ until }) => until > now)
        .map(({ seq: _, ...revocation }) => freezeDeep(revocation)),
  }
}

function compareNumbers(a: RulePosition, b: RulePosition): number {
  return a.seq - b.seq || Number(a.id > b.id) - Number(a.id < b.id)
}
