// Parts that several test folders of the service use: a log that keeps its lines, and a store of revocations whose answers
// a test can delay, hold back forever or replace by an error.

import type { ClaimsSet } from '../../src/claims/claims-set.ts'
import type { NumberedRule, RevocationRule } from '../../src/claims/records/revocation.ts'
import { createLogger, type Logger } from '../../src/http/log.ts'
import { StorageError } from '../../src/storage/errors.ts'
import type { Storage } from '../../src/storage/storage.ts'

export const HOUR = 3_600_000

/** A logger at level debug, and the lines that it wrote, each as `level: message` (`warn: the store is down`). */
export function keepLog(): { readonly log: Logger; readonly lines: readonly string[] } {
  const lines: string[] = []
  const write = (line: string): void => {
    const { level, msg } = JSON.parse(line)
    lines.push(`${level}: ${msg}`)
  }
  return { log: createLogger({ level: 'debug', write, now: Date.now }), lines }
}

export interface RuleStore {
  readonly storage: Pick<Storage, 'readRuleSeq' | 'listRuleChanges'>
  /** Replaces the stored rules as one change. The number of the last change rises by one, even when nothing differs. */
  store(rules: readonly RevocationRule[]): void
  /** Sets how `readRuleSeq` answers from now on. `listRuleChanges` always answers immediately. */
  answer(how: 'immediately' | 'never' | 'with a fault' | { readonly afterMs: number }): void
  /** The number of calls of `readRuleSeq` so far. */
  reads(): number
}

/** Creates a store of these rules; the ids follow their positions (`rule-0`, `rule-1`). */
export function createRuleStore(first: readonly RevocationRule[] = []): RuleStore {
  let seq = 0
  let rules: readonly NumberedRule[] = []
  let how: Parameters<RuleStore['answer']>[0] = 'immediately'
  let reads = 0

  function store(next: readonly RevocationRule[]): void {
    seq += 1
    const kept = Array.from({ length: Math.max(rules.length, next.length) }, (_, index) => {
      const before = rules[index]
      // A rule that is not in the new list was lifted. It stays in the store with `until` 0.
      const wanted = next[index] ?? { ...(before as NumberedRule), until: 0 }
      const rule = { ...wanted, id: `rule-${index}`, seq: before?.seq ?? seq }
      return JSON.stringify(rule) === JSON.stringify(before) ? rule : { ...rule, seq }
    })
    rules = kept
  }

  store(first)
  return {
    storage: {
      async readRuleSeq() {
        reads += 1
        const seen = seq
        if (how === 'never') return new Promise<never>(() => undefined)
        if (how === 'with a fault') throw new StorageError('the store is down')
        if (how !== 'immediately') await wait(how.afterMs)
        return seen
      },
      async listRuleChanges(after, limit) {
        const isAfter = (rule: NumberedRule): boolean =>
          rule.seq > after.seq || (rule.seq === after.seq && rule.id > after.id)
        const found = rules.filter(isAfter).sort((a, b) => a.seq - b.seq || (a.id < b.id ? -1 : 1))
        return structuredClone(found.slice(0, limit))
      },
    },
    store,
    answer: (next) => {
      how = next
    },
    reads: () => reads,
  }
}

/** Waits by the global setTimeout, which fake timers control. */
function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Claims of a valid token with these members changed; times are epoch seconds. */
export function claimsWith(members: Partial<ClaimsSet> = {}): ClaimsSet {
  const iat = Math.floor(Date.now() / 1000)
  return {
    iss: 'https://auth.example.com',
    aud: 'https://api.example.com',
    sub: 'acct_1',
    client_id: 'client1',
    jti: 'jti-1',
    iat,
    exp: iat + 600,
    ...members,
  }
}

/** A rule for the `jti` of {@link claimsWith}, with these members changed. It lasts for one hour. */
export function ruleWith(rule: Partial<RevocationRule> = {}): RevocationRule {
  const now = Date.now()
  return { kind: 'jti', value: 'jti-1', account: null, before: now + 1000, until: now + HOUR, ...rule }
}
