// The contract of every adapter for revocations: which are listed, for how long, and what a purge deletes.

import { describe, expect, test } from 'vitest'
import type { Revocation, RevocationKind, RevocationRule } from '../../src/claims/records/revocation.ts'
import { StorageError } from '../../src/storage/errors.ts'
import type { Storage } from '../../src/storage/storage.ts'
import {
  addAccount,
  listRules,
  makeAudit,
  makeCredential,
  makeCredentialEnd,
  makeRevocation,
} from '../support/records.ts'
import type { OpenedStorage } from './contract.ts'
import { openEach } from './open-each.ts'

const NOW = 1_700_000_000_000
const HOUR = 3_600_000
/**
 * Milliseconds. A permanent revocation also covers tokens issued up to this long after it, because clocks differ and replicas
 * cache records.
 */
const LATE = 300_000
const KINDS: readonly RevocationKind[] = ['jti', 'client_id', 'sub', 'kid']

export function describeRevocations(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`revocations contract: ${name}`, () => {
    let storage: Storage
    openEach(open, (opened) => {
      storage = opened.storage
    })

    const byValue = (rules: readonly RevocationRule[]) =>
      [...rules].sort((a, b) => (a.value < b.value ? -1 : 1))
    const list = async (now = NOW) => byValue(await listRules(storage, now))

    test('a new store lists no revocations', async () => {
      await addAccount(storage)
      expect(await list()).toEqual([])
    })

    test.each(KINDS)('a revocation of kind %s is listed, with its audit entry', async (kind) => {
      const audit = makeAudit({ action: 'revocation.create' })
      const revocation = makeRevocation({ kind, value: `' \u0000 🌱`, before: NOW + 1, until: NOW + 2 })
      await storage.addRevocation(revocation, audit)
      expect(await list()).toEqual([
        { kind, value: `' \u0000 🌱`, account: null, before: NOW + 1, until: NOW + 2 },
      ])
      expect(await storage.listAudit(undefined, 50)).toEqual([audit])
    })

    test('those in force are listed as they were written, newest first, page by page', async () => {
      const times = [5, 1, 5, 3, 1, 9]
      const written = times.map((time, index) =>
        makeRevocation({ createdAt: NOW + time, value: `v${index}`, until: NOW + HOUR }),
      )
      for (const one of written) await storage.addRevocation(one, makeAudit())
      const customers = { ...makeRevocation({ createdAt: NOW + 4, until: NOW + HOUR }), account: 'acct_a' }
      await storage.addCustomerRevocation(customers, { ofAccount: 9, ofAll: 9 }, makeAudit())
      await storage.addRevocation(makeRevocation({ createdAt: NOW + 99, until: NOW }), makeAudit())
      const sorted = [...written, customers].sort(
        (a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1),
      )
      expect(await storage.listRevocations(undefined, 50, NOW)).toEqual(sorted)
      for (const limit of [1, 2, 3, 7]) {
        const seen: Revocation[] = []
        for (let page: readonly Revocation[] = sorted; page.length > 0; seen.push(...page)) {
          const last = seen.at(-1)
          page = await storage.listRevocations(last && { at: last.createdAt, id: last.id }, limit, NOW)
          expect(page.length).toBeLessThanOrEqual(limit)
        }
        expect(seen).toEqual(sorted)
      }
    })

    test('the same value may be revoked again later', async () => {
      await storage.addRevocation(makeRevocation({ value: 'a', before: NOW }), makeAudit())
      await storage.addRevocation(makeRevocation({ value: 'a', before: NOW + 5 }), makeAudit())
      expect((await list()).map(({ before }) => before).sort()).toEqual([NOW, NOW + 5])
    })

    test('a revocation whose audit id is taken is not added', async () => {
      const [revocation, audit] = [makeRevocation(), makeAudit()]
      expect(await storage.addRevocation(revocation, audit)).toBe(true)
      const adding = storage.addRevocation(makeRevocation(), { ...makeAudit(), id: audit.id })
      await expect(adding).rejects.toThrow(StorageError)
      expect((await list()).map(({ value }) => value)).toEqual([revocation.value])
      expect(await storage.listAudit(undefined, 50)).toEqual([audit])
    })

    test('a revocation with an id that exists changes nothing and writes no second audit entry', async () => {
      const [revocation, audit] = [makeRevocation({ before: NOW }), makeAudit()]
      expect(await storage.addRevocation(revocation, audit)).toBe(true)
      const before = await list()
      const other = { ...makeRevocation({ value: 'other', before: NOW + 5 }), id: revocation.id }
      for (const entry of [makeAudit(), audit]) {
        expect(await storage.addRevocation(other, entry)).toBe(false)
        expect(await storage.addRevocation(revocation, entry)).toBe(false)
      }
      expect(await list()).toEqual(before)
      expect(await storage.listAudit(undefined, 50)).toEqual([audit])
    })

    test('the longest token lifetime can only be raised', async () => {
      const given = [60, 86_400, 600, 86_400, 86_401]
      const recorded: number[] = []
      expect(await storage.readLongestLifetime()).toBe(0)
      for (const seconds of given) {
        recorded.push(await storage.raiseLongestLifetime(seconds))
        expect(await storage.readLongestLifetime()).toBe(recorded.at(-1))
      }
      expect(recorded).toEqual([60, 86_400, 86_400, 86_400, 86_401])
      expect(await storage.listAudit(undefined, 50)).toEqual([])
    })

    test('a revocation is listed until every token that it can match has expired, and no longer', async () => {
      await storage.addRevocation(makeRevocation({ until: NOW + 1 }), makeAudit())
      expect(await list(NOW)).toHaveLength(1)
      expect(await list(NOW + 1)).toEqual([])
    })

    test('a purge deletes expired revocations and no others', async () => {
      const { account, credential, audit } = await addAccount(storage)
      for (const until of [NOW - 1, NOW, NOW + 1]) {
        await storage.addRevocation(makeRevocation({ value: `until ${until - NOW}`, until }), makeAudit())
      }
      const logged = await storage.listAudit(undefined, 50)
      const seq = await storage.readRuleSeq()
      expect(await storage.purge({ revocationsUntil: NOW, assertionsUntil: 0, auditBefore: null })).toBe(
        false,
      )
      expect((await list(0)).map(({ value }) => value)).toEqual(['until 1'])
      expect(await storage.findCredential(credential.id)).toEqual({ account, credential })
      expect(await storage.listAudit(undefined, 50)).toEqual(logged)
      expect(logged).toContainEqual(audit)
      // A purge gives no new number, so readers that follow the numbers have nothing to read.
      expect(await storage.readRuleSeq()).toBe(seq)
    })

    test('a purge deletes audit entries older than the given time', async () => {
      for (const at of [NOW - 1, NOW, NOW + 1]) await storage.appendAudit(makeAudit({ at }))
      await storage.addRevocation(makeRevocation(), makeAudit({ at: NOW - 2 }))
      await storage.purge({ revocationsUntil: 0, assertionsUntil: 0, auditBefore: NOW })
      expect((await storage.listAudit(undefined, 50)).map(({ at }) => at)).toEqual([NOW + 1, NOW])
      expect(await list(0)).toHaveLength(1)
    })

    describe('numbers', () => {
      const START = { seq: -1, id: '' }
      const seqOf = async (id: string) =>
        (await storage.listRuleChanges(START, 1000)).find((rule) => rule.id === id)?.seq

      test('each change gets one number, higher than the last', async () => {
        const first = await storage.readRuleSeq()
        const { account, credential } = await addAccount(storage)
        expect(await storage.readRuleSeq()).toBe(first)
        const [a, b] = [makeRevocation(), makeRevocation()]
        await storage.addRevocation(a, makeAudit())
        expect([await storage.readRuleSeq(), await seqOf(a.id)]).toEqual([first + 1, first + 1])
        const next = { ...account, updatedAt: account.updatedAt + 1 }
        const two = { put: [b, makeRevocation()], lift: [a.id, 'unknown'] }
        expect(await storage.updateAccount(next, account.updatedAt, [], two)).toBe(true)
        const seqs = (await storage.listRuleChanges(START, 1000)).map(({ seq }) => seq)
        expect(seqs).toEqual([first + 2, first + 2, first + 2])
        expect(await storage.readRuleSeq()).toBe(first + 2)
        await storage.revokeCredential(credential.id, NOW, makeCredentialEnd(credential.id), makeAudit())
        await storage.deleteAccount(account.id, makeRevocation(), makeAudit())
        expect(await storage.readRuleSeq()).toBe(first + 4)
      })

      test('a write whose condition does not hold gets no number', async () => {
        const { account, credential } = await addAccount(storage)
        const rule = makeRevocation()
        await storage.addRevocation(rule, makeAudit())
        await storage.revokeCredential(credential.id, NOW, makeCredentialEnd(credential.id), makeAudit())
        const seq = await storage.readRuleSeq()
        const rules = { put: [makeRevocation()], lift: [rule.id] }
        expect(await storage.updateAccount(account, account.updatedAt + 7, [], rules)).toBe(false)
        expect(await storage.deleteAccount('nobody', makeRevocation(), makeAudit())).toBe(false)
        expect(await storage.addRevocation(rule, makeAudit())).toBe(false)
        const again = makeCredentialEnd(credential.id)
        expect(await storage.revokeCredential(credential.id, NOW, again, makeAudit())).toBe(false)
        await storage.raiseRevocation(rule.id, rule.before, rule.until + 1)
        await storage.raiseRevocation('nobody', NOW, NOW)
        await storage.updateAccount({ ...account, updatedAt: NOW * 2 }, account.updatedAt, [])
        expect(await storage.readRuleSeq()).toBe(seq)
        expect(await list(0)).toHaveLength(2)
      })

      test('let a reader page through all rules, also when one number has more rules than a page', async () => {
        const { account } = await addAccount(storage)
        for (let index = 0; index < 3; index += 1) {
          await storage.addRevocation(makeRevocation(), makeAudit())
        }
        const put = Array.from({ length: 5 }, () => makeRevocation())
        const next = { ...account, updatedAt: account.updatedAt + 1 }
        await storage.updateAccount(next, account.updatedAt, [], { put, lift: [] })
        const seen: string[] = []
        for (let after = START, page = 2; page === 2; ) {
          const rules = await storage.listRuleChanges(after, 2)
          seen.push(...rules.map(({ id }) => id))
          page = rules.length
          after = rules.at(-1) ?? after
        }
        const all = (await storage.listRuleChanges(START, 1000)).map(({ id }) => id)
        expect(seen).toEqual(all)
        expect(new Set(seen).size).toBe(8)
      })

      test('become visible in their order while others write', async () => {
        const names = Array.from({ length: 60 }, () => makeRevocation())
        let isOver = false
        const writing = Promise.all(
          names.map((revocation) => storage.addRevocation(revocation, makeAudit())),
        ).finally(() => {
          isOver = true
        })
        const seen: string[] = []
        let after = START
        const follow = async (): Promise<void> => {
          const seq = await storage.readRuleSeq()
          for (const rule of await storage.listRuleChanges(after, 1000)) {
            seen.push(rule.id)
            after = rule
          }
          expect(after.seq === -1 || after.seq >= seq).toBe(true)
        }
        while (!isOver) {
          await follow()
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
        await writing
        await follow()
        expect([...seen].sort()).toEqual(names.map(({ id }) => id).sort())
        expect(await storage.readRuleSeq()).toBe(after.seq)
      })
    })

    test('a rule that is lifted is listed once more, as expired by every clock', async () => {
      const { account } = await addAccount(storage)
      const rule = makeRevocation({ until: NOW + 10 * HOUR })
      const suspended = { ...account, updatedAt: NOW }
      await storage.updateAccount(suspended, account.updatedAt, [], { put: [rule], lift: [] })
      const [before] = await storage.listRuleChanges({ seq: -1, id: '' }, 10)
      const resumed = { ...account, updatedAt: NOW + 500 }
      await storage.updateAccount(resumed, suspended.updatedAt, [], { put: [], lift: [rule.id] })
      const [lifted] = await storage.listRuleChanges(before!, 10)
      expect(lifted).toMatchObject({ id: rule.id, seq: before!.seq + 1 })
      // Another process's clock may be minutes behind, and verifiers round up to whole seconds.
      expect(lifted!.until).toBeLessThanOrEqual(NOW + 500 - LATE)
      expect(await list(NOW - LATE + 1000)).toEqual([])
      // The same rule may be set again.
      const again = { ...account, updatedAt: NOW + 600 }
      await storage.updateAccount(again, resumed.updatedAt, [], { put: [rule], lift: [] })
      expect(await list()).toMatchObject([{ value: rule.value, until: rule.until }])
    })

    test('raising a revocation moves its times forward, never back', async () => {
      const rule = makeRevocation({ before: NOW, until: NOW + HOUR })
      await storage.addRevocation(rule, makeAudit())
      await storage.raiseRevocation(rule.id, NOW + 1000, NOW + HOUR + 1000)
      expect(await list()).toMatchObject([{ before: NOW + 1000, until: NOW + HOUR + 1000 }])
      await storage.raiseRevocation(rule.id, NOW + 500, NOW + 2 * HOUR)
      expect(await list()).toMatchObject([{ before: NOW + 1000, until: NOW + HOUR + 1000 }])
      await storage.raiseRevocation(rule.id, NOW + 2000, NOW)
      expect(await list()).toMatchObject([{ before: NOW + 2000, until: NOW + HOUR + 1000 }])
    })

    describe("customers' revocations", () => {
      const budget = { ofAccount: 3, ofAll: 5 }
      const add = (account: string, changes: object = {}, audit = makeAudit()) =>
        storage.addCustomerRevocation({ ...makeRevocation(changes), account }, budget, audit)

      test('are added up to the budget of the account, then of all accounts, with one audit entry each', async () => {
        for (let index = 0; index < 3; index += 1) {
          expect(await add('acct_a', { until: NOW + HOUR + index })).toEqual({ outcome: 'added' })
        }
        const seq = await storage.readRuleSeq()
        expect(await add('acct_a')).toEqual({ outcome: 'account_full', until: NOW + HOUR })
        for (const account of ['acct_b', 'acct_b']) {
          expect(await add(account)).toEqual({ outcome: 'added' })
        }
        expect(await add('acct_c')).toEqual({ outcome: 'all_full' })
        expect(await storage.listAudit(undefined, 50)).toHaveLength(5)
        expect(await storage.readRuleSeq()).toBe(seq + 2)
        // Revocations by operators are not counted and never refused.
        expect(await storage.addRevocation(makeRevocation(), makeAudit())).toBe(true)
        expect(await list()).toHaveLength(6)
      })

      test('that have expired are not counted', async () => {
        for (let index = 0; index < 3; index += 1) await add('acct_a', { until: NOW + index })
        expect((await add('acct_a', { createdAt: NOW - 1 })).outcome).toBe('account_full')
        expect((await add('acct_a', { createdAt: NOW })).outcome).toBe('added')
      })

      test('of one token count once, also when the budget is used up', async () => {
        const id = 'jti_same'
        const outcomes = await Promise.all(Array.from({ length: 20 }, () => add('acct_a', { id })))
        expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual([
          'added',
          ...Array<string>(19).fill('repeated'),
        ])
        expect(await storage.listAudit(undefined, 50)).toHaveLength(1)
        for (let index = 0; index < 2; index += 1) await add('acct_a')
        expect((await add('acct_a', { id })).outcome).toBe('repeated')
      })

      test('that arrive together do not exceed the budget', async () => {
        const outcomes = await Promise.all(Array.from({ length: 30 }, () => add('acct_a')))
        expect(outcomes.filter(({ outcome }) => outcome === 'added')).toHaveLength(3)
        expect(await list()).toHaveLength(3)
      })
    })

    test('the end of a revoked credential is listed in addition to a stored revocation of it', async () => {
      const { account } = await addAccount(storage)
      const second = makeCredential(account.id)
      await storage.createCredential(second, makeAudit())
      await storage.revokeCredential(second.id, NOW, makeCredentialEnd(second.id, NOW), makeAudit())
      await storage.addRevocation(
        makeRevocation({ kind: 'client_id', value: second.id, before: 5 }),
        makeAudit(),
      )
      expect((await list()).map(({ kind, before }) => [kind, before])).toEqual([
        ['client_id', NOW + LATE],
        ['client_id', 5],
      ])
    })
  })
}
