// The contract of every adapter for the numbers of rules: a reader that follows the changes by number misses none.

import { describe, expect, test } from 'vitest'
import type { NumberedRule } from '../../src/claims/records/revocation.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { addAccount, makeAudit, makeCredentialEnd, makeRevocation, nextId } from '../support/records.ts'
import type { OpenedStorage } from './contract.ts'
import { openEach } from './open-each.ts'

const NOW = 1_700_000_000_000
const START = { seq: -1, id: '' }

export function describeRules(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`rules contract: ${name}`, () => {
    let storage: Storage
    openEach(open, (opened) => {
      storage = opened.storage
    })

    const all = () => storage.listRuleChanges(START, 10_000)
    const ofCustomer = (account: string, changes: object = {}) => ({ ...makeRevocation(changes), account })
    const budget = (ofAccount: number, ofAll: number) => ({ ofAccount, ofAll })

    test('each change gets a higher number; a write that changes nothing gets none', async () => {
      const { account, credential } = await addAccount(storage)
      const revocation = makeRevocation()
      const end = makeCredentialEnd(credential.id)
      const pause = makeRevocation({ id: `suspended_${account.id}`, kind: 'sub', value: account.id })
      const suspended = { ...account, updatedAt: NOW + 10 }
      const steps: readonly (readonly [() => Promise<unknown>, boolean])[] = [
        [() => storage.addRevocation(revocation, makeAudit()), true],
        [() => storage.addRevocation(revocation, makeAudit()), false],
        [() => storage.raiseRevocation(revocation.id, revocation.before + 1, revocation.until), true],
        [() => storage.raiseRevocation(revocation.id, revocation.before, revocation.until + 9), false],
        [() => storage.raiseRevocation('unknown', NOW * 2, NOW * 2), false],
        [() => storage.revokeCredential('unknown', NOW, end, makeAudit()), false],
        [() => storage.revokeCredential(credential.id, NOW, end, makeAudit()), true],
        [() => storage.revokeCredential(credential.id, NOW, end, makeAudit()), false],
        [() => storage.updateAccount(suspended, 1, [], { put: [pause], lift: [] }), false],
        [() => storage.updateAccount(suspended, account.updatedAt, [], { put: [pause], lift: [] }), true],
        [() => storage.updateAccount({ ...suspended, updatedAt: NOW + 11 }, NOW + 10, []), false],
        [
          () =>
            storage.updateAccount({ ...suspended, updatedAt: NOW + 12 }, NOW + 11, [], {
              put: [],
              lift: ['unknown'],
            }),
          false,
        ],
        [
          () =>
            storage.updateAccount({ ...suspended, updatedAt: NOW + 13 }, NOW + 12, [], {
              put: [],
              lift: [pause.id],
            }),
          true,
        ],
        [() => storage.addCustomerRevocation(ofCustomer('acct_a'), budget(1, 1), makeAudit()), true],
        [() => storage.addCustomerRevocation(ofCustomer('acct_a'), budget(1, 9), makeAudit()), false],
        [() => storage.deleteAccount('unknown', makeRevocation(), makeAudit()), false],
        [() => storage.deleteAccount(account.id, makeRevocation(), makeAudit()), true],
      ]
      for (const [index, [step, isCounted]] of steps.entries()) {
        const before = await storage.readRuleSeq()
        await step()
        const after = await storage.readRuleSeq()
        expect(after > before, `step ${index}`).toBe(isCounted)
        expect((await all()).at(-1)?.seq ?? after, `step ${index}`).toBe(after)
      }
    })

    test('all rules of one transaction get one number', async () => {
      const { account } = await addAccount(storage)
      const put = [makeRevocation(), makeRevocation(), makeRevocation()]
      await storage.updateAccount({ ...account, updatedAt: NOW + 10 }, account.updatedAt, [], {
        put,
        lift: [],
      })
      const rules = await all()
      expect(rules.map(({ id }) => id)).toEqual(put.map(({ id }) => id))
      expect(new Set(rules.map(({ seq }) => seq)).size).toBe(1)
    })

    test('raising a rule moves its times forward only', async () => {
      const revocation = makeRevocation({ before: NOW, until: NOW + 100 })
      await storage.addRevocation(revocation, makeAudit())
      await storage.raiseRevocation(revocation.id, NOW + 5, NOW + 50)
      expect(await all()).toMatchObject([{ before: NOW + 5, until: NOW + 100 }])
      await storage.raiseRevocation(revocation.id, NOW + 6, NOW + 200)
      expect(await all()).toMatchObject([{ before: NOW + 6, until: NOW + 200 }])
      await storage.raiseRevocation(revocation.id, NOW + 1, NOW + 900)
      expect(await all()).toMatchObject([{ before: NOW + 6, until: NOW + 200 }])
    })

    test.each([1, 2, 7, 1000])('pages of %i list each rule once, in order', async (limit) => {
      const { account } = await addAccount(storage)
      for (let index = 0; index < 6; index += 1) await storage.addRevocation(makeRevocation(), makeAudit())
      const put = [makeRevocation(), makeRevocation(), makeRevocation()]
      await storage.updateAccount({ ...account, updatedAt: NOW + 10 }, account.updatedAt, [], {
        put,
        lift: [],
      })
      const seen: NumberedRule[] = []
      for (;;) {
        const page = await storage.listRuleChanges(seen.at(-1) ?? START, limit)
        seen.push(...page)
        if (page.length < limit) break
      }
      expect(seen).toEqual(await all())
      expect(seen).toHaveLength(9)
    })

    test('a reader that follows by number misses no rule of 60 concurrent writers', async () => {
      const wanted = Array.from({ length: 60 }, () => makeRevocation())
      const seen = new Set<string>()
      let cursor: { seq: number; id: string } = START
      let isOver = false
      const follow = async (): Promise<void> => {
        const seq = await storage.readRuleSeq()
        const page = await storage.listRuleChanges(cursor, 10_000)
        for (const { id } of page) seen.add(id)
        const reached = Math.max(seq, page.at(-1)?.seq ?? cursor.seq)
        if (reached > cursor.seq) cursor = { seq: reached, id: '\uffff' }
      }
      const reading = (async () => {
        while (!isOver) await follow()
      })()
      await Promise.all(wanted.map((revocation) => storage.addRevocation(revocation, makeAudit())))
      isOver = true
      await reading
      await follow()
      expect([...seen].sort()).toEqual(wanted.map(({ id }) => id).sort())
    })

    test('a budget counts only rules of customers that have not expired', async () => {
      const add = async (account: string, createdAt: number, ofAccount = 2, ofAll = 3) => {
        const revocation = ofCustomer(account, { createdAt, until: createdAt + 100 })
        return storage.addCustomerRevocation(revocation, budget(ofAccount, ofAll), makeAudit())
      }
      for (let index = 0; index < 5; index += 1) await storage.addRevocation(makeRevocation(), makeAudit())
      expect(await add('a', NOW)).toEqual({ outcome: 'added' })
      expect(await add('a', NOW + 10)).toEqual({ outcome: 'added' })
      const logged = await storage.listAudit(undefined, 50)
      expect(await add('a', NOW + 20)).toEqual({ outcome: 'account_full', until: NOW + 100 })
      expect(await storage.listAudit(undefined, 50)).toEqual(logged)
      expect(await add('b', NOW + 20)).toEqual({ outcome: 'added' })
      expect(await add('c', NOW + 20)).toEqual({ outcome: 'all_full' })
      // The first has expired.
      expect(await add('a', NOW + 100)).toEqual({ outcome: 'added' })
      expect(await add('c', NOW + 100)).toEqual({ outcome: 'all_full' })
      // Rules of operators are never refused and do not count towards the budget.
      expect(await storage.addRevocation(makeRevocation(), makeAudit())).toBe(true)
    })

    test('a rule that is stored already is not stored again, also when the budget is full', async () => {
      const revocation = ofCustomer('a', { id: nextId('jti_') })
      const add = () => storage.addCustomerRevocation(revocation, budget(1, 1), makeAudit())
      const outcomes = await Promise.all(Array.from({ length: 10 }, add))
      expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['added', ...Array(9).fill('repeated')])
      expect(await storage.listAudit(undefined, 50)).toHaveLength(1)
    })
  })
}
