// What the tests of the service's own rooms share: a log that is kept, and a store of revocations that is slow, hangs
// or fails on demand.

import type { RevocationRule } from '../../src/claims/account.ts'
import type { ClaimsSet } from '../../src/claims/claims-set.ts'
import { createLogger, type Logger } from '../../src/http/log.ts'
import { StorageError } from '../../src/storage/errors.ts'
import type { Storage } from '../../src/storage/storage.ts'

export const HOUR = 3_600_000

/** A log and its lines, `warn: message`. */
export function keepLog(): { readonly log: Logger; readonly lines: readonly string[] } {
  const lines: string[] = []
  const write = (line: string): void => {
    const { level, msg } = JSON.parse(line)
    lines.push(`${level}: ${msg}`)
  }
  return { log: createLogger({ level: 'debug', write, now: Date.now }), lines }
}

export interface RuleStore {
  readonly storage: Pick<Storage, 'listRevocations'>
  /** What is stored from now on. */
  store(rules: readonly RevocationRule[]): void
  /** How the store answers from now on. */
  answer(how: 'at once' | 'never' | 'with a fault' | { readonly afterMs: number }): void
  /** Reads that were begun. */
  reads(): number
}

/** A store of these rules. A read sees what is stored when it begins. */
export function createRuleStore(first: readonly RevocationRule[] = []): RuleStore {
  let rules = first
  let how: Parameters<RuleStore['answer']>[0] = 'at once'
  let reads = 0
  return {
    storage: {
      async listRevocations(now) {
        reads += 1
        const seen = structuredClone(rules.filter(({ until }) => until > now))
        if (how === 'never') return new Promise<never>(() => undefined)
        if (how === 'with a fault') throw new StorageError('the store is down')
        if (how !== 'at once') await wait(how.afterMs)
        return seen
      },
    },
    store: (next) => {
      rules = next
    },
    answer: (next) => {
      how = next
    },
    reads: () => reads,
  }
}

/** By the clock that tests may stop. */
function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Claims of a good token but for these; times are epoch seconds. */
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

/** A rule that ends what was minted up to now, for an hour. */
export function ruleWith(rule: Partial<RevocationRule> = {}): RevocationRule {
  const now = Date.now()
  return { kind: 'jti', value: 'jti-1', before: now + 1000, until: now + HOUR, ...rule }
}
