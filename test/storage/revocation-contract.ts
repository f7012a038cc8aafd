// What every adapter promises of revocations: what is listed, for how long, and what a purge takes.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RevocationKind, RevocationRule } from '../../src/claims/account.ts'
import { StorageError } from '../../src/storage/errors.ts'
import type { Storage } from '../../src/storage/storage.ts'
import type { OpenedStorage } from './contract.ts'
import { addAccount, makeAudit, makeCredential, makeRevocation } from './records.ts'

const NOW = 1_700_000_000_000
const HOUR = 3_600_000
/** Clocks that differ and replicas that remember: what an end for good covers beyond its own moment. */
const LATE = 300_000
const KINDS: readonly RevocationKind[] = ['jti', 'client_id', 'sub', 'kid']

export function describeRevocations(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`revocations contract: ${name}`, () => {
    let opened: OpenedStorage
    let storage: Storage
    beforeEach(async () => {
      opened = await open()
      storage = opened.storage
    })
    afterEach(() => opened.close())

    const byValue = (rules: readonly RevocationRule[]) =>
      [...rules].sort((a, b) => (a.value < b.value ? -1 : 1))
    const list = async (now = NOW) => byValue(await storage.listRevocations(now, HOUR))

    test('there are none at first', async () => {
      await addAccount(storage)
      expect(await list()).toEqual([])
    })

    test.each(KINDS)('one of the kind %s comes back with its audit entry', async (kind) => {
      const audit = makeAudit({ action: 'revocation.create' })
      const revocation = makeRevocation({ kind, value: `' \u0000 🌱`, before: NOW + 1, until: NOW + 2 })
      await storage.addRevocation(revocation, audit)
      expect(await list()).toEqual([{ kind, value: `' \u0000 🌱`, before: NOW + 1, until: NOW + 2 }])
      expect(await storage.listAudit(undefined, 50)).toEqual([audit])
    })

    test('the same thing may be revoked again, later', async () => {
      await storage.addRevocation(makeRevocation({ value: 'a', before: NOW }), makeAudit())
      await storage.addRevocation(makeRevocation({ value: 'a', before: NOW + 5 }), makeAudit())
      expect((await list()).map(({ before }) => before).sort()).toEqual([NOW, NOW + 5])
    })

    test('one whose audit id is taken is not added', async () => {
      const [revocation, audit] = [makeRevocation(), makeAudit()]
      expect(await storage.addRevocation(revocation, audit)).toBe(true)
      const adding = storage.addRevocation(makeRevocation(), { ...makeAudit(), id: audit.id })
      await expect(adding).rejects.toThrow(StorageError)
      expect((await list()).map(({ value }) => value)).toEqual([revocation.value])
      expect(await storage.listAudit(undefined, 50)).toEqual([audit])
    })

    test('one that is there already stays as it is, and leaves no second entry', async () => {
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

    test('the longest life of a token is the longest that was ever given', async () => {
      const given = [60, 86_400, 600, 86_400, 86_401]
      const told: number[] = []
      for (const seconds of given) told.push(await storage.raiseLongestLifetime(seconds))
      expect(told).toEqual([60, 86_400, 86_400, 86_400, 86_401])
      expect(await storage.listAudit(undefined, 50)).toEqual([])
    })

    test('one is listed until no token it can match lives, and not longer', async () => {
      await storage.addRevocation(makeRevocation({ until: NOW + 1 }), makeAudit())
      expect(await list(NOW)).toHaveLength(1)
      expect(await list(NOW + 1)).toEqual([])
    })

    test('a purge takes what no longer matters, and nothing else', async () => {
      const { account, credential, audit } = await addAccount(storage, { status: 'suspended' })
      const asleep = await addAccount(storage)
      await storage.revokeCredential(asleep.credential.id, 1, makeAudit())
      for (const until of [NOW - 1, NOW, NOW + 1]) {
        await storage.addRevocation(makeRevocation({ value: `until ${until - NOW}`, until }), makeAudit())
      }
      const logged = await storage.listAudit(undefined, 50)
      await storage.purge(NOW)
      expect((await list(0)).map(({ value }) => value)).toEqual(
        [account.id, asleep.credential.id, 'until 1'].sort(),
      )
      expect(await storage.findCredential(credential.id)).toEqual({ account, credential })
      expect(await storage.listCredentials(asleep.account.id)).toHaveLength(1)
      expect(await storage.listAudit(undefined, 50)).toEqual(logged)
      expect(logged).toContainEqual(audit)
      await storage.purge(NOW)
      expect(await list(0)).toHaveLength(3)
    })

    describe('a suspended account', () => {
      test('ends every token a verifier may accept now, for as long as they live', async () => {
        const { account } = await addAccount(storage, { status: 'suspended' })
        await addAccount(storage)
        for (const now of [NOW, NOW + 1, NOW + 59_999, NOW + 10 * 24 * HOUR]) {
          const rules = await list(now)
          expect(rules).toHaveLength(1)
          const [rule] = rules
          expect(rule).toMatchObject({ kind: 'sub', value: account.id })
          // A verifier's clock may be ahead by the greatest tolerance there is; more than a minute on top is not needed.
          expect(rule!.before - now).toBeGreaterThanOrEqual(LATE)
          expect(rule!.before - now).toBeLessThanOrEqual(LATE + 60_000)
          expect(rule!.until - rule!.before).toBe(HOUR)
        }
      })

      test('is listed from its suspension until it is resumed', async () => {
        const { account } = await addAccount(storage)
        const asleep = { ...account, status: 'suspended' as const, updatedAt: account.updatedAt + 1 }
        await storage.updateAccount(asleep, account.updatedAt, [])
        expect((await list()).map(({ value }) => value)).toEqual([account.id])
        await storage.updateAccount({ ...account, updatedAt: account.updatedAt + 2 }, asleep.updatedAt, [])
        expect(await list()).toEqual([])
      })

      test('makes the same rule within a minute', async () => {
        await addAccount(storage, { status: 'suspended' })
        const minute = Math.floor(NOW / 60_000) * 60_000
        expect(await list(minute + 59_999)).toEqual(await list(minute + 1))
        expect(await list(minute + 60_001)).not.toEqual(await list(minute + 1))
      })
    })

    describe('a revoked credential', () => {
      test('ends what it minted, and what it may still mint elsewhere, while that lives', async () => {
        const { account } = await addAccount(storage)
        const second = makeCredential(account.id)
        await storage.createCredential(second, makeAudit())
        await storage.revokeCredential(second.id, NOW, makeAudit())
        const until = NOW + LATE + HOUR
        const rule = { kind: 'client_id', value: second.id, before: NOW + LATE, until }
        expect(await list(NOW)).toEqual([rule])
        expect(await list(until - 1)).toEqual([rule])
        expect(await list(until)).toEqual([])
      })

      test('has a rule of its own beside its suspended account and a revocation on record', async () => {
        const { account, credential } = await addAccount(storage, { status: 'suspended' })
        await storage.revokeCredential(credential.id, NOW, makeAudit())
        await storage.addRevocation(
          makeRevocation({ kind: 'client_id', value: credential.id, before: 5 }),
          makeAudit(),
        )
        const rules = await list()
        expect(rules).toHaveLength(3)
        expect(rules.filter(({ value }) => value === credential.id)).toHaveLength(2)
        expect(rules.filter(({ kind, value }) => kind === 'sub' && value === account.id)).toHaveLength(1)
      })
    })

    test('the order is that of the rules, not of their making', async () => {
      const values = ['c', 'a', 'd', 'b']
      for (const value of values) await storage.addRevocation(makeRevocation({ value }), makeAudit())
      for (const id of ['acct_b', 'acct_a']) await addAccount(storage, { id, status: 'suspended' })
      const found = (await storage.listRevocations(NOW, HOUR)).map(({ value }) => value)
      expect(found.filter((value) => values.includes(value))).toEqual(['a', 'b', 'c', 'd'])
      expect(found.filter((value) => value.startsWith('acct'))).toEqual(['acct_a', 'acct_b'])
    })

    test('an account that is deleted is never missing from the list', async () => {
      const { account } = await addAccount(storage, { status: 'suspended' })
      const revocation = makeRevocation({ kind: 'sub', value: account.id })
      const [, ...lists] = await Promise.all([
        storage.deleteAccount(account.id, revocation, makeAudit()),
        ...Array.from({ length: 20 }, () => list()),
      ])
      for (const rules of lists) expect(rules.map(({ value }) => value)).toEqual([account.id])
      expect(await list()).toMatchObject([{ before: revocation.before }])
    })
  })
}
