// The contract of the storage port, as one suite that every adapter runs.

import { describe, expect, test } from 'vitest'
import type { Account, AuditAction } from '../../src/claims/records/account.ts'
import { StorageError } from '../../src/storage/errors.ts'
import type { Position, Storage } from '../../src/storage/storage.ts'
import {
  addAccount,
  makeAccount,
  makeAudit,
  makeCredential,
  makeCredentialEnd,
  makeRevocation,
  nextId,
} from '../support/records.ts'
import { openEach } from './open-each.ts'

/** An open, empty store. `close` closes it and removes its files. */
export interface OpenedStorage {
  readonly storage: Storage
  readonly close: () => Promise<void>
}

const ODD_TEXTS: readonly [string, string][] = [
  ['quotes', `'; DROP TABLE accounts; -- " \` \\ \\" %_?`],
  ['emoji and combining marks', '🌱👩‍🌾 e\u0301 \u202eright to left'],
  ['line separators and controls', 'a\u2028b\u2029c\r\nd\te\u0001\u007f\ufeff'],
  ['NUL', 'a\u0000b\u0000'],
  ['200 astral characters', '🌳'.repeat(200)],
  ['200 letters', 'ü'.repeat(200)],
  ['digits that look like a number', '007'],
  ['the text null', 'null'],
  ['blanks', '  '],
]

const ACTIONS: readonly AuditAction[] = [
  'account.create',
  'account.update',
  'account.delete',
  'account.suspend',
  'account.resume',
  'credential.create',
  'credential.rotate',
  'credential.revoke',
  'revocation.create',
  'key.rotate',
  'secret_in_browser',
]

export function describeStorage(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`storage contract: ${name}`, () => {
    let storage: Storage

    openEach(open, (opened) => {
      storage = opened.storage
    })

    test('every look-up in an empty store finds nothing', async () => {
      expect(await storage.getAccount('acct_none')).toBeUndefined()
      expect(await storage.findCredential('none')).toBeUndefined()
      expect(await storage.listCredentials('acct_none')).toEqual([])
      expect(await storage.listAccounts(undefined, 50)).toEqual([])
      expect(await storage.listAudit(undefined, 50)).toEqual([])
      expect(await storage.isAnyOriginListed(['*', 'https://shop.example'])).toBe(false)
      expect(await storage.isPrototypeOriginListed(['*', 'https://shop.example'], true, 1)).toBe(false)
      await storage.ping()
    })

    test('a new account is returned by every method that reads accounts, credentials or the audit log', async () => {
      const { account, credential, audit } = await addAccount(storage)
      expect(await storage.getAccount(account.id)).toEqual(account)
      expect(await storage.findCredential(credential.id)).toEqual({ credential, account })
      expect(await storage.listCredentials(account.id)).toEqual([credential])
      expect(await storage.listAccounts(undefined, 50)).toEqual([account])
      expect(await storage.listAudit(undefined, 50)).toEqual([audit])
    })

    test('stores every member of each record', async () => {
      const account = makeAccount({
        status: 'suspended',
        allowedOrigins: ['https://b.example', 'https://*.a.example', 'capacitor://localhost'],
        scopes: [],
        maxTtl: 86_400,
        browserPrototype: true,
        requireOrigin: true,
        createdAt: 0,
        updatedAt: Number.MAX_SAFE_INTEGER,
      })
      const credential = makeCredential(account.id, {
        name: 'CI',
        scopes: ['plants:read'],
        browserPrototype: true,
        allowLocalhost: true,
        secretHash: null,
        previousHash: 'b2xk',
        previousExpiresAt: 1_800_000_000_001,
        jwks: '{"keys":[{"kty":"EC"}]}',
        expiresAt: 1_800_000_000_002,
        revokedAt: 1_800_000_000_003,
        createdAt: 1_800_000_000_004,
        lastUsedAt: 1_800_000_000_005,
      })
      const audit = makeAudit({
        detail: { before: null, list: [1, 'two', { three: true }], text: '\u0000 "' },
      })
      await storage.createAccount(account, credential, audit)
      expect(await storage.findCredential(credential.id)).toEqual({ credential, account })
      expect(await storage.listAudit(undefined, 1)).toEqual([audit])
    })

    test('an empty list of scopes is not stored as a missing one', async () => {
      const account = makeAccount()
      const credential = makeCredential(account.id, { scopes: [] })
      await storage.createAccount(account, credential, makeAudit())
      expect((await storage.findCredential(credential.id))?.credential.scopes).toEqual([])
    })

    test.each(ODD_TEXTS)('every text member is read back unchanged: %s', async (_name, text) => {
      const account = makeAccount({ name: text, allowedOrigins: [text], scopes: [text] })
      const credential = makeCredential(account.id, {
        id: `${nextId('cred')}${text}`,
        name: text,
        jwks: text,
      })
      const audit = makeAudit({ actor: text, target: text, detail: { [text]: text } })
      await storage.createAccount(account, credential, audit)
      expect(await storage.findCredential(credential.id)).toEqual({ credential, account })
      expect(await storage.listAudit(undefined, 1)).toEqual([audit])
      expect(await storage.isAnyOriginListed([text])).toBe(true)
    })

    test.each(ACTIONS)('the audit log keeps an entry of the action %s', async (action) => {
      const entry = makeAudit({ action })
      await storage.appendAudit(entry)
      expect(await storage.listAudit(undefined, 50)).toEqual([entry])
    })

    describe('a createAccount that fails changes nothing, when', () => {
      const clashes: readonly [string, (first: Awaited<ReturnType<typeof addAccount>>) => Ids][] = [
        ['the audit id is taken', ({ audit }) => ({ audit: audit.id })],
        ['the credential id is taken', ({ credential }) => ({ credential: credential.id })],
        ['the account id is taken', ({ account }) => ({ account: account.id })],
        ['the credential belongs to an account that does not exist', () => ({ owner: 'acct_nobody' })],
      ]
      interface Ids {
        account?: string
        owner?: string
        credential?: string
        audit?: string
      }

      test.each(clashes)('%s', async (_name, pick) => {
        const first = await addAccount(storage)
        const ids = pick(first)
        const account = makeAccount({
          id: ids.account ?? nextId('acct_'),
          name: 'second',
          allowedOrigins: ['https://second.example'],
        })
        const credential = makeCredential(ids.owner ?? account.id, { id: ids.credential ?? nextId('cred') })
        const audit = makeAudit({ id: ids.audit ?? nextId('aud_') })
        await expect(storage.createAccount(account, credential, audit)).rejects.toThrow(StorageError)

        expect(await storage.listAccounts(undefined, 50)).toEqual([first.account])
        expect(await storage.listCredentials(first.account.id)).toEqual([first.credential])
        expect(await storage.findCredential(first.credential.id)).toEqual({
          credential: first.credential,
          account: first.account,
        })
        if (!ids.credential) expect(await storage.findCredential(credential.id)).toBeUndefined()
        expect(await storage.isAnyOriginListed(['https://second.example'])).toBe(false)
        expect(await storage.listAudit(undefined, 50)).toEqual([first.audit])
        // The store still accepts a valid account.
        await addAccount(storage)
      })
    })

    test('a second audit entry with the same id is refused', async () => {
      const entry = makeAudit()
      await storage.appendAudit(entry)
      await expect(storage.appendAudit({ ...entry, actor: 'cli' })).rejects.toThrow(StorageError)
      expect(await storage.listAudit(undefined, 50)).toEqual([entry])
    })

    describe('pages', () => {
      // Times unordered and partly equal, and ids whose order is the reverse of the insertion.
      const times = [30, 10, 20, 10, 20, 20, -5, 10, 30]
      const sorted = (ids: readonly Position[]) =>
        [...ids].sort((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1)).map(({ id }) => id)

      test.each([1, 2, 3, 4, 50])('of %i accounts list each account once, oldest first', async (limit) => {
        const positions: Position[] = []
        for (const [index, at] of times.entries()) {
          const id = `acct_${times.length - index}`
          positions.push({ at, id })
          await addAccount(storage, { id, createdAt: at })
        }
        const seen = await readPages(limit, async (after) =>
          (await storage.listAccounts(after, limit)).map(({ id, createdAt }) => ({ id, at: createdAt })),
        )
        expect(seen).toEqual(sorted(positions))
      })

      test.each([1, 2, 3, 4, 50])('of %i audit entries list each entry once, newest first', async (limit) => {
        const entries = times.map((at, index) => makeAudit({ at, id: `aud_${times.length - index}` }))
        for (const entry of entries) await storage.appendAudit(entry)
        const seen = await readPages(limit, (before) => storage.listAudit(before, limit))
        expect(seen).toEqual(sorted(entries).reverse())
      })

      test('a page can start at a position where there is no record', async () => {
        await addAccount(storage, { id: 'acct_b', createdAt: 10 })
        expect(await storage.listAccounts({ at: 10, id: 'acct_a' }, 50)).toHaveLength(1)
        expect(await storage.listAccounts({ at: 10, id: 'acct_c' }, 50)).toHaveLength(0)
      })
    })

    test.each<[string, readonly string[], boolean]>([
      ['a listed pattern', ['https://*.a.example'], true],
      ['a listed pattern among others', ['https://x.example', 'https://b.example:8443'], true],
      ['a pattern listed twice', ['https://twice.example'], true],
      ['a pattern of a suspended account', ['https://suspended.example'], true],
      ['no pattern', [], false],
      ['an origin that a listed pattern matches but does not equal', ['https://www.a.example'], false],
      ['a prefix of a listed pattern', ['https://b.example'], false],
      ['a listed pattern in upper case', ['https://B.example:8443'], false],
      ['a LIKE pattern', ['https://%', '_', '%'], false],
      ['the whole list as one text', ['["https://*.a.example","https://b.example:8443"]'], false],
      ['a star that no account lists', ['*'], false],
      ['more patterns than D1 has parameters', manyOrigins('https://b.example:8443'), true],
      ['more patterns than D1 has parameters, none listed', manyOrigins('https://c.example'), false],
    ])('isAnyOriginListed: %s', async (_name, patterns, expected) => {
      await addAccount(storage, { allowedOrigins: ['https://*.a.example', 'https://b.example:8443'] })
      await addAccount(storage, { allowedOrigins: ['https://twice.example', 'https://twice.example'] })
      await addAccount(storage, { allowedOrigins: ['https://suspended.example'], status: 'suspended' })
      await addAccount(storage, { allowedOrigins: ['https://twice.example'] })
      expect(await storage.isAnyOriginListed(patterns)).toBe(expected)
    })

    test('an account may list 100 origins', async () => {
      const allowedOrigins = Array.from({ length: 100 }, (_, index) => `https://shop-${index}.example`)
      const { account } = await addAccount(storage, { allowedOrigins })
      expect((await storage.getAccount(account.id))?.allowedOrigins).toEqual(allowedOrigins)
      expect(await storage.isAnyOriginListed(['https://shop-99.example'])).toBe(true)
    })

    test('changing a record that was passed in or returned does not change the store', async () => {
      const account: Writable<Account> = makeAccount({ allowedOrigins: ['https://shop.example'] })
      const credential = makeCredential(account.id)
      const audit = makeAudit({ detail: { list: [1] } })
      const expected = structuredClone({ account, credential, audit })
      await storage.createAccount(account, credential, audit)
      const spoil = async () => {
        const held = [
          account,
          audit,
          await storage.getAccount(account.id),
          await storage.findCredential(credential.id),
          await storage.listAccounts(undefined, 50),
          await storage.listCredentials(account.id),
          await storage.listAudit(undefined, 50),
        ]
        for (const record of held) spoilDeep(record)
      }
      await spoil()
      await spoil()
      expect(await storage.getAccount(expected.account.id)).toEqual(expected.account)
      expect(await storage.findCredential(credential.id)).toEqual({
        account: expected.account,
        credential: expected.credential,
      })
      expect(await storage.listAccounts(undefined, 50)).toEqual([expected.account])
      expect(await storage.listCredentials(expected.account.id)).toEqual([expected.credential])
      expect(await storage.listAudit(undefined, 50)).toEqual([expected.audit])
    })

    test('200 accounts created together are all stored', async () => {
      const made = await Promise.all(Array.from({ length: 200 }, () => addAccount(storage)))
      expect(await storage.listAccounts(undefined, 300)).toEqual(made.map(({ account }) => account))
      expect(await storage.listAudit(undefined, 300)).toHaveLength(200)
      const found = await Promise.all(
        made.map(async ({ credential }) => storage.findCredential(credential.id)),
      )
      expect(found).toEqual(made.map(({ account, credential }) => ({ account, credential })))
    })

    test('of 20 accounts created together with one id, one is stored', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) => addAccount(storage, { id: 'acct_same', name: `${index}` })),
      )
      const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      expect(await storage.listAccounts(undefined, 50)).toEqual([winners[0]?.value.account])
      expect(await storage.listAudit(undefined, 50)).toHaveLength(1)
      expect(await storage.listCredentials('acct_same')).toHaveLength(1)
    })

    const calls: Readonly<Record<Exclude<keyof Storage, 'close'>, (closed: Storage) => unknown>> = {
      createAccount: (closed) => addAccount(closed),
      updateAccount: (closed) => closed.updateAccount(makeAccount(), 1, []),
      deleteAccount: (closed) => closed.deleteAccount('a', makeRevocation(), makeAudit()),
      createCredential: (closed) => closed.createCredential(makeCredential('a'), makeAudit()),
      replaceSecret: (closed) =>
        closed.replaceSecret(
          'known',
          { secretHash: 'b', previousHash: null, previousExpiresAt: null },
          'a',
          makeAudit(),
        ),
      revokeCredential: (closed) =>
        closed.revokeCredential('known', 1, makeCredentialEnd('known'), makeAudit()),
      addRevocation: (closed) => closed.addRevocation(makeRevocation(), makeAudit()),
      touchCredentials: (closed) => closed.touchCredentials(new Map([['known', 1]])),
      useAssertion: (closed) => closed.useAssertion('known', 'jti', 1),
      purge: (closed) => closed.purge({ revocationsUntil: 1, assertionsUntil: 1, auditBefore: 1 }),
      addCustomerRevocation: (closed) =>
        closed.addCustomerRevocation(
          { ...makeRevocation(), account: 'a' },
          { ofAccount: 1, ofAll: 1 },
          makeAudit(),
        ),
      raiseRevocation: (closed) => closed.raiseRevocation('a', 1, 1),
      readRuleSeq: (closed) => closed.readRuleSeq(),
      listRuleChanges: (closed) => closed.listRuleChanges({ seq: -1, id: '' }, 1),
      listRevocations: (closed) => closed.listRevocations(undefined, 1, 0),
      getAccount: (closed) => closed.getAccount('a'),
      listAccounts: (closed) => closed.listAccounts(undefined, 1),
      listCredentials: (closed) => closed.listCredentials('a'),
      findCredential: (closed) => closed.findCredential('known'),
      hasUsedCredential: (closed) => closed.hasUsedCredential(),
      isAnyOriginListed: (closed) => closed.isAnyOriginListed(['https://shop.example']),
      isPrototypeOriginListed: (closed) => closed.isPrototypeOriginListed(['https://shop.example'], true, 1),
      appendAudit: (closed) => closed.appendAudit(makeAudit()),
      appendAuditOnce: (closed) => closed.appendAuditOnce(makeAudit()),
      raiseLongestLifetime: (closed) => closed.raiseLongestLifetime(1),
      readLongestLifetime: (closed) => closed.readLongestLifetime(),
      listAudit: (closed) => closed.listAudit(undefined, 1),
      ping: (closed) => closed.ping(),
    }
    test.each(Object.entries(calls))('after the store is closed, %s rejects', async (_name, call) => {
      const account = makeAccount()
      await storage.createAccount(account, makeCredential(account.id, { id: 'known' }), makeAudit())
      expect(await storage.findCredential('known')).toBeDefined()
      expect(await storage.isAnyOriginListed(['https://shop.example'])).toBe(true)
      await storage.close()
      // Called without await: it must return a promise, not throw.
      await expect(call(storage)).rejects.toThrow(StorageError)
    })

    test('close may be called again: it resolves and does nothing', async () => {
      await addAccount(storage)
      await storage.close()
      expect(await storage.close()).toBeUndefined()
      await expect(async () => storage.ping()).rejects.toThrow(StorageError)
    })
  })
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

function manyOrigins(last: string): readonly string[] {
  return [...Array.from({ length: 150 }, (_, index) => `https://*.${index}.example`), last]
}

async function readPages(
  limit: number,
  read: (from: Position | undefined) => Promise<readonly Position[]>,
): Promise<readonly string[]> {
  const seen: string[] = []
  let from: Position | undefined
  for (let pages = 0; pages < 20; pages++) {
    const page = await read(from)
    expect(page.length).toBeLessThanOrEqual(limit)
    seen.push(...page.map(({ id }) => id))
    from = page.at(-1) && { at: page.at(-1)!.at, id: page.at(-1)!.id }
    if (page.length === 0) return seen
    if (page.length < limit) return seen
  }
  throw new Error('the list never reaches its last page')
}

/** Overwrites every writable member of a record, and adds an item to every list in it that is not frozen. */
function spoilDeep(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) {
    spoilDeep(member)
    Reflect.set(value, key, 'spoilt')
  }
  if (Array.isArray(value) && !Object.isFrozen(value)) value.push('spoilt')
}
