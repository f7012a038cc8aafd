// The contract of every storage adapter for writes: their conditions, and that each write is done completely or not at
// all. Revocations and concurrent writes have their own suites.

import { describe, expect, test } from 'vitest'
import type { Account, AuditEntry, Credential } from '../../src/claims/records/account.ts'
import { StorageError } from '../../src/storage/errors.ts'
import type { Storage } from '../../src/storage/storage.ts'
import {
  addAccount,
  listRules,
  makeAccount,
  makeAudit,
  makeCredential,
  makeCredentialEnd,
  makeRevocation,
} from '../support/records.ts'
import type { OpenedStorage } from './contract.ts'
import { openEach } from './open-each.ts'

const ROTATION = { secretHash: 'bmV3', previousHash: 'c2VjcmV0LWhhc2g', previousExpiresAt: 1_700_000_100_000 }
const OLD_HASH = 'c2VjcmV0LWhhc2g'
const origins = ['https://shop.example', 'https://new.example', 'https://other.example', 'https://b.example']

/** The records of the store, read through its public methods. */
async function readAll(storage: Storage): Promise<unknown> {
  const accounts = await storage.listAccounts(undefined, 100)
  return {
    accounts,
    credentials: await Promise.all(accounts.map(({ id }) => storage.listCredentials(id))),
    audit: await storage.listAudit(undefined, 100),
    revocations: await storage.listRuleChanges({ seq: -1, id: '' }, 100),
    seq: await storage.readRuleSeq(),
    origins: await Promise.all(origins.map(async (pattern) => storage.isAnyOriginListed([pattern]))),
  }
}

export function describeWrites(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`writes contract: ${name}`, () => {
    let storage: Storage
    let account: Account
    let credential: Credential
    let created: AuditEntry
    /** An account and credential that no write of these tests may change. */
    let other: Awaited<ReturnType<typeof addAccount>>

    openEach(open, async (opened) => {
      storage = opened.storage
      const first = await addAccount(storage)
      account = first.account
      credential = first.credential
      created = first.audit
      other = await addAccount(storage, { allowedOrigins: ['https://other.example'] })
      // Looked up now, so that a cache has results that a write must drop.
      await storage.findCredential(credential.id)
      for (const origin of origins) await storage.isAnyOriginListed([origin])
    })

    const suspended = (changes: Partial<Account> = {}): Account => ({
      ...account,
      status: 'suspended',
      updatedAt: account.updatedAt + 1,
      ...changes,
    })

    async function expectAudit(...entries: readonly AuditEntry[]): Promise<void> {
      const ids = (await storage.listAudit(undefined, 100)).map(({ id }) => id)
      expect(ids.sort()).toEqual([created, other.audit, ...entries].map(({ id }) => id).sort())
    }

    /** Checks that the records that were not written to are unchanged. */
    async function expectOtherUntouched(): Promise<void> {
      expect(await storage.findCredential(other.credential.id)).toEqual({
        account: other.account,
        credential: other.credential,
      })
      expect(await storage.isAnyOriginListed(['https://other.example'])).toBe(true)
    }

    describe('updateAccount', () => {
      test('replaces every member and the listed origins, and writes each audit entry', async () => {
        const next = suspended({
          name: 'Garden Shop \u0000 🌱',
          allowedOrigins: ['https://b.example', 'https://*.a.example', 'https://b.example'],
          scopes: ['plants:read'],
          maxTtl: 60,
          browserPrototype: true,
        })
        const audits = [makeAudit({ action: 'account.update' }), makeAudit({ action: 'account.suspend' })]
        expect(await storage.updateAccount(next, account.updatedAt, audits)).toBe(true)
        expect(await storage.getAccount(account.id)).toEqual(next)
        expect(await storage.findCredential(credential.id)).toEqual({ account: next, credential })
        expect(await storage.isAnyOriginListed(['https://b.example'])).toBe(true)
        expect(await storage.isAnyOriginListed(['https://*.a.example'])).toBe(true)
        expect(await storage.isAnyOriginListed(['https://shop.example'])).toBe(false)
        await expectAudit(...audits)
        await expectOtherUntouched()
      })

      test('an origin that another account lists too stays listed', async () => {
        await addAccount(storage, { allowedOrigins: ['https://shop.example'] })
        const next = suspended({ allowedOrigins: ['https://new.example'] })
        expect(await storage.updateAccount(next, account.updatedAt, [])).toBe(true)
        expect(await storage.isAnyOriginListed(['https://shop.example'])).toBe(true)
      })

      test('accepts 100 origins, and an update without audit entries', async () => {
        const allowedOrigins = Array.from({ length: 100 }, (_, index) => `https://shop-${index}.example`)
        expect(await storage.updateAccount(suspended({ allowedOrigins }), account.updatedAt, [])).toBe(true)
        expect((await storage.getAccount(account.id))?.allowedOrigins).toEqual(allowedOrigins)
        expect(await storage.isAnyOriginListed(['https://shop-99.example'])).toBe(true)
        await expectAudit()
      })

      test('never changes the creation time of the account', async () => {
        await storage.updateAccount(suspended({ createdAt: 1 }), account.updatedAt, [])
        expect((await storage.getAccount(account.id))?.createdAt).toBe(account.createdAt)
      })

      test('accepts a second update from the updatedAt of the first', async () => {
        expect(await storage.updateAccount(suspended(), account.updatedAt, [])).toBe(true)
        const resumed = { ...account, updatedAt: account.updatedAt + 2 }
        expect(await storage.updateAccount(resumed, account.updatedAt + 1, [])).toBe(true)
        expect(await storage.getAccount(account.id)).toEqual(resumed)
      })
    })

    describe('deleteAccount', () => {
      test('deletes credentials and origins, keeps the audit log, and revokes the tokens', async () => {
        const second = makeCredential(account.id)
        const [added, deleted] = [makeAudit(), makeAudit({ action: 'account.delete' })]
        await storage.createCredential(second, added)
        const revocation = makeRevocation({ kind: 'sub', value: account.id })
        expect(await storage.deleteAccount(account.id, revocation, deleted)).toBe(true)
        expect(await storage.getAccount(account.id)).toBeUndefined()
        expect(await storage.findCredential(credential.id)).toBeUndefined()
        expect(await storage.findCredential(second.id)).toBeUndefined()
        expect(await storage.listCredentials(account.id)).toEqual([])
        expect(await storage.listAccounts(undefined, 50)).toEqual([other.account])
        expect(await storage.isAnyOriginListed(['https://shop.example'])).toBe(false)
        const { createdAt: _, id: __, ...rule } = revocation
        expect(await listRules(storage, rule.before)).toEqual([rule])
        await expectAudit(added, deleted)
        await expectOtherUntouched()
      })

      test('keeps earlier revocations of the account and its credential', async () => {
        const end = makeCredentialEnd(credential.id)
        await storage.revokeCredential(credential.id, 1_700_000_000_000, end, makeAudit())
        const rules = { put: [makeRevocation({ value: 'asleep' })], lift: [] }
        await storage.updateAccount(suspended(), account.updatedAt, [], rules)
        await storage.deleteAccount(account.id, makeRevocation({ value: 'only' }), makeAudit())
        const left = (await listRules(storage)).map(({ value }) => value)
        expect(left).toEqual([credential.id, 'asleep', 'only'])
      })
    })

    test('createCredential adds a credential to an account, also to a suspended one', async () => {
      const audit = makeAudit({ action: 'credential.create' })
      const second = makeCredential(account.id, {
        name: 'CI',
        createdAt: credential.createdAt + 1,
        jwks: '{"keys":[]}',
        secretHash: null,
      })
      await storage.updateAccount(suspended(), account.updatedAt, [])
      expect(await storage.createCredential(second, audit)).toBe(true)
      expect(await storage.listCredentials(account.id)).toEqual([credential, second])
      expect((await storage.findCredential(second.id))?.account).toEqual(suspended())
      await expectAudit(audit)
    })

    test('replaceSecret changes its three members and no others', async () => {
      const audit = makeAudit({ action: 'credential.rotate' })
      expect(await storage.replaceSecret(credential.id, ROTATION, OLD_HASH, audit)).toBe(true)
      const rotated = { ...credential, ...ROTATION }
      expect(await storage.findCredential(credential.id)).toEqual({ account, credential: rotated })
      const last = { secretHash: 'bGFzdA', previousHash: null, previousExpiresAt: null }
      const again = makeAudit()
      expect(await storage.replaceSecret(credential.id, last, 'bmV3', again)).toBe(true)
      expect(await storage.listCredentials(account.id)).toEqual([{ ...credential, ...last }])
      await expectAudit(audit, again)
      await expectOtherUntouched()
    })

    test('revokeCredential sets the time of revocation and keeps all other members', async () => {
      const audit = makeAudit({ action: 'credential.revoke' })
      expect(
        await storage.revokeCredential(
          credential.id,
          1_700_000_000_500,
          makeCredentialEnd(credential.id),
          audit,
        ),
      ).toBe(true)
      const revoked = { ...credential, revokedAt: 1_700_000_000_500 }
      expect(await storage.findCredential(credential.id)).toEqual({ account, credential: revoked })
      expect(await storage.listCredentials(account.id)).toEqual([revoked])
      await expectAudit(audit)
      await expectOtherUntouched()
    })

    test('a credential that was revoked at time 0 counts as revoked', async () => {
      expect(
        await storage.revokeCredential(credential.id, 0, makeCredentialEnd(credential.id), makeAudit()),
      ).toBe(true)
      expect((await storage.findCredential(credential.id))?.credential.revokedAt).toBe(0)
      expect(
        await storage.revokeCredential(credential.id, 1, makeCredentialEnd(credential.id), makeAudit()),
      ).toBe(false)
    })

    describe('touchCredentials', () => {
      const readUse = async (id: string) =>
        (await storage.listCredentials(id === other.credential.id ? other.account.id : account.id)).find(
          (found) => found.id === id,
        )?.lastUsedAt

      test('records many uses together, ignores unknown ids, and writes no audit entry', async () => {
        await storage.touchCredentials(
          new Map([
            [credential.id, 1_700_000_000_700],
            ['nobody', 1_700_000_000_800],
            [other.credential.id, 1_700_000_000_900],
          ]),
        )
        expect(await storage.listCredentials(account.id)).toEqual([
          { ...credential, lastUsedAt: 1_700_000_000_700 },
        ])
        expect(await readUse(other.credential.id)).toBe(1_700_000_000_900)
        await expectAudit()
      })

      test.each([
        ['a later', 1, 1],
        ['the same', 0, 0],
        ['an earlier', -1, 0],
      ])('a use at %s time: the latest is kept', async (_name, step, expected) => {
        await storage.touchCredentials(new Map([[credential.id, 1_700_000_000_700]]))
        await storage.touchCredentials(new Map([[credential.id, 1_700_000_000_700 + step]]))
        expect(await readUse(credential.id)).toBe(1_700_000_000_700 + expected)
      })

      test('hasUsedCredential is true while a used credential exists, also a revoked one', async () => {
        expect(await storage.hasUsedCredential()).toBe(false)
        await storage.touchCredentials(new Map([['nobody', 9]]))
        expect(await storage.hasUsedCredential()).toBe(false)
        await storage.touchCredentials(new Map([[credential.id, 0]]))
        expect(await storage.hasUsedCredential()).toBe(true)
        await storage.revokeCredential(credential.id, 1, makeCredentialEnd(credential.id), makeAudit())
        expect(await storage.hasUsedCredential()).toBe(true)
        await storage.deleteAccount(account.id, makeRevocation(), makeAudit())
        expect(await storage.hasUsedCredential()).toBe(false)
      })

      test('accepts 5000 uses in one call, unusual ids, and an empty call', async () => {
        const odd = makeCredential(account.id, { id: `'"\\ \u0000 🌱 __proto__ 7` })
        await storage.createCredential(odd, makeAudit())
        const uses = Array.from({ length: 5000 }, (_, index): [string, number] => [`guess-${index}`, index])
        await storage.touchCredentials(new Map([...uses, [odd.id, 5], ['__proto__', 6]]))
        await storage.touchCredentials(new Map())
        expect(await readUse(odd.id)).toBe(5)
        expect(await readUse(credential.id)).toBeNull()
      })
    })

    type Write = (audit: AuditEntry) => Promise<boolean>
    // Every write that has a condition, for the tests where the condition does not hold or the audit entry fails.
    const writes: Readonly<Record<string, Write>> = {
      updateAccount: (audit) =>
        storage.updateAccount(
          suspended({ name: 'changed', allowedOrigins: ['https://new.example'] }),
          account.updatedAt,
          [makeAudit(), audit],
        ),
      deleteAccount: (audit) => storage.deleteAccount(account.id, makeRevocation({ kind: 'sub' }), audit),
      createCredential: (audit) => storage.createCredential(makeCredential(account.id), audit),
      replaceSecret: (audit) => storage.replaceSecret(credential.id, ROTATION, OLD_HASH, audit),
      revokeCredential: (audit) =>
        storage.revokeCredential(credential.id, 1_700_000_000_500, makeCredentialEnd(credential.id), audit),
    }
    test.each(Object.entries(writes))(
      '%s with the id of an existing audit entry rejects and changes nothing',
      async (_name, write) => {
        const before = await readAll(storage)
        await expect(write(created)).rejects.toThrow(StorageError)
        expect(await readAll(storage)).toEqual(before)
        expect(await write(makeAudit())).toBe(true)
      },
    )

    test('a write with two audit entries of the same id is refused', async () => {
      const before = await readAll(storage)
      const audit = makeAudit()
      await expect(storage.updateAccount(suspended(), account.updatedAt, [audit, audit])).rejects.toThrow(
        StorageError,
      )
      expect(await readAll(storage)).toEqual(before)
    })

    test('a write with an id that is taken changes nothing', async () => {
      const before = await readAll(storage)
      const taken = makeCredential(account.id, { id: other.credential.id })
      await expect(storage.createCredential(taken, makeAudit())).rejects.toThrow(StorageError)
      expect(await readAll(storage)).toEqual(before)
      const revocation = makeRevocation()
      await storage.addRevocation(revocation, makeAudit())
      const later = await readAll(storage)
      expect(await storage.addRevocation(revocation, makeAudit())).toBe(false)
      expect(await readAll(storage)).toEqual(later)
    })

    const lost: readonly [string, keyof typeof writes, () => unknown][] = [
      ['another update came first', 'updateAccount', () => writes.updateAccount!(makeAudit())],
      ['the account is deleted', 'updateAccount', () => writes.deleteAccount!(makeAudit())],
      ['the account is deleted already', 'deleteAccount', () => writes.deleteAccount!(makeAudit())],
      ['the account is deleted', 'createCredential', () => writes.deleteAccount!(makeAudit())],
      ['another rotation came first', 'replaceSecret', () => writes.replaceSecret!(makeAudit())],
      ['the credential is revoked', 'replaceSecret', () => writes.revokeCredential!(makeAudit())],
      [
        'the credential was deleted with its account',
        'replaceSecret',
        () => writes.deleteAccount!(makeAudit()),
      ],
      ['the credential is revoked already', 'revokeCredential', () => writes.revokeCredential!(makeAudit())],
      [
        'the credential was deleted with its account',
        'revokeCredential',
        () => writes.deleteAccount!(makeAudit()),
      ],
    ]
    test.each(lost)('when %s, %s returns false and changes nothing', async (_why, write, prepare) => {
      await prepare()
      const before = await readAll(storage)
      expect(await writes[write]!(makeAudit())).toBe(false)
      expect(await readAll(storage)).toEqual(before)
    })

    test('appendAuditOnce writes an entry once; a second one with its id changes nothing', async () => {
      const audit = makeAudit({ action: 'key.rotate', detail: { recovered: true } })
      expect(await storage.appendAuditOnce(audit)).toBe(true)
      const before = await readAll(storage)
      expect(await storage.appendAuditOnce({ ...audit, actor: 'system', at: audit.at + 1 })).toBe(false)
      expect(await storage.appendAuditOnce({ ...created, actor: 'system' })).toBe(false)
      expect(await readAll(storage)).toEqual(before)
      await expectAudit(audit)
    })

    test('a write to a deleted account answers false, also when its audit id is taken', async () => {
      const audits = Object.values(writes).map(() => makeAudit())
      for (const audit of audits) await storage.appendAudit(audit)
      await storage.deleteAccount(account.id, makeRevocation(), makeAudit())
      const before = await readAll(storage)
      for (const [index, write] of Object.values(writes).entries()) {
        expect(await write(audits[index]!)).toBe(false)
      }
      expect(await readAll(storage)).toEqual(before)
    })

    test('changing a record after a write does not change the store', async () => {
      const next = structuredClone(suspended({ allowedOrigins: ['https://mine.example'] }))
      const second = structuredClone(makeCredential(account.id, { scopes: ['plants:read'] }))
      const expected = structuredClone({ next, second })
      await storage.updateAccount(next, account.updatedAt, [])
      await storage.createCredential(second, makeAudit())
      Object.assign(next, { name: 'spoilt' })
      ;(next.allowedOrigins as string[]).push('spoilt')
      ;(second.scopes as string[]).push('spoilt')
      expect(await storage.findCredential(second.id)).toEqual({
        account: expected.next,
        credential: expected.second,
      })
    })

    test('writes to an account or credential that never existed return false and change nothing', async () => {
      const before = await readAll(storage)
      const nobody = makeAccount({ id: 'acct_nobody', allowedOrigins: ['https://new.example'] })
      expect(await storage.updateAccount(nobody, nobody.updatedAt, [makeAudit()])).toBe(false)
      expect(await storage.deleteAccount('acct_nobody', makeRevocation(), makeAudit())).toBe(false)
      expect(await storage.createCredential(makeCredential('acct_nobody'), makeAudit())).toBe(false)
      expect(await storage.replaceSecret('nobody', ROTATION, OLD_HASH, makeAudit())).toBe(false)
      expect(await storage.revokeCredential('nobody', 1, makeCredentialEnd('nobody'), makeAudit())).toBe(
        false,
      )
      expect(await readAll(storage)).toEqual(before)
    })
  })
}
