// The contract of every storage adapter for `isPrototypeOriginListed`: whether any prototype credential may be used from an
// origin. Revoked and expired credentials, and those of suspended accounts, do not count.

import { describe, expect, test } from 'vitest'
import type { Account, Credential } from '../../src/claims/records/account.ts'
import type { Storage } from '../../src/storage/storage.ts'
import {
  addAccount,
  makeAudit,
  makeCredential,
  makeCredentialEnd,
  makeRevocation,
} from '../support/records.ts'
import type { OpenedStorage } from './contract.ts'
import { openEach } from './open-each.ts'

const NOW = 1_700_000_000_000
const SHOP = 'https://shop.example'

interface Row {
  readonly rule: string
  readonly account?: Partial<Account>
  readonly credential?: Partial<Credential>
  readonly patterns?: readonly string[]
  readonly isLocalhost?: boolean
  readonly expected: boolean
}

/** Each row has one credential and what differs from a prototype, not for localhost, of an account that lists `SHOP`. */
const rows: readonly Row[] = [
  { rule: 'a prototype', expected: true },
  { rule: 'a credential that is not a prototype', credential: { browserPrototype: false }, expected: false },
  {
    rule: 'a credential that is not a prototype, of an account that allows prototypes',
    account: { browserPrototype: true },
    credential: { browserPrototype: false },
    expected: false,
  },
  {
    rule: 'a prototype of an account that allows no prototypes',
    account: { browserPrototype: false },
    expected: false,
  },
  { rule: 'a revoked prototype', credential: { revokedAt: 1 }, expected: false },
  {
    rule: 'a prototype that expires a millisecond later',
    credential: { expiresAt: NOW + 1 },
    expected: true,
  },
  { rule: 'a prototype that expires now', credential: { expiresAt: NOW }, expected: false },
  {
    rule: 'a prototype without a secret',
    credential: { secretHash: null, jwks: '{"keys":[]}' },
    expected: true,
  },
  { rule: 'a prototype of a suspended account', account: { status: 'suspended' }, expected: false },
  {
    rule: 'several patterns, one of them listed',
    patterns: ['*', SHOP, 'https://*.example'],
    expected: true,
  },
  {
    rule: 'one of several patterns that the account lists',
    account: { allowedOrigins: ['https://a.example', SHOP] },
    expected: true,
  },
  { rule: 'patterns that are not listed', patterns: ['*', 'https://*.shop.example'], expected: false },
  { rule: 'a LIKE pattern of SQL', patterns: ['%'], expected: false },
  { rule: 'no pattern', patterns: [], expected: false },
  {
    rule: 'more patterns than D1 has parameters',
    patterns: [...Array.from({ length: 150 }, (_, index) => `https://*.${index}.example`), SHOP],
    expected: true,
  },
  { rule: 'localhost, which the prototype does not allow', patterns: [], isLocalhost: true, expected: false },
  {
    rule: 'localhost, which the prototype does not allow, but a listed pattern',
    isLocalhost: true,
    expected: true,
  },
  {
    rule: 'localhost, which the prototype allows',
    credential: { allowLocalhost: true },
    patterns: [],
    isLocalhost: true,
    expected: true,
  },
  {
    rule: 'another origin, while the prototype allows localhost',
    credential: { allowLocalhost: true },
    patterns: ['https://other.example'],
    expected: false,
  },
  ...(
    [
      ['a credential that is not a prototype', { browserPrototype: false }, {}],
      ['a revoked prototype', { revokedAt: 1 }, {}],
      ['an expired prototype', { expiresAt: NOW }, {}],
      ['a prototype of a suspended account', {}, { status: 'suspended' }],
      ['a prototype of an account that allows no prototypes', {}, { browserPrototype: false }],
    ] as const
  ).map(([rule, credential, account]) => ({
    rule: `localhost, which is allowed by ${rule}`,
    account,
    credential: { allowLocalhost: true, ...credential },
    patterns: [],
    isLocalhost: true,
    expected: false,
  })),
]

export function describePrototypes(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`prototypes contract: ${name}`, () => {
    let storage: Storage
    openEach(open, async (opened) => {
      storage = opened.storage
      // One account lists SHOP and has no prototype; the other has a prototype and lists another origin only.
      await addAccount(storage, { browserPrototype: true })
      const elsewhere = await addAccount(storage, {
        allowedOrigins: ['https://elsewhere.example'],
        browserPrototype: true,
      })
      await storage.createCredential(
        makeCredential(elsewhere.account.id, { browserPrototype: true }),
        makeAudit(),
      )
    })

    const ask = async (patterns: readonly string[] = [SHOP], isLocalhost = false) =>
      storage.isPrototypeOriginListed(patterns, isLocalhost, NOW)

    async function addPrototype(
      account: Partial<Account> = {},
      credential: Partial<Credential> = {},
    ): Promise<{ account: Account; prototype: Credential }> {
      const made = await addAccount(storage, { browserPrototype: true, ...account })
      const prototype = makeCredential(made.account.id, { browserPrototype: true, ...credential })
      await storage.createCredential(prototype, makeAudit())
      return { account: made.account, prototype }
    }

    test.each(rows)('$rule: $expected', async ({ account, credential, patterns, isLocalhost, expected }) => {
      expect(await ask(patterns, isLocalhost)).toBe(false)
      await addPrototype(account, credential)
      expect(await ask(patterns, isLocalhost)).toBe(expected)
    })

    test('one usable prototype is enough, even if others are revoked, expired or suspended', async () => {
      await addPrototype({ status: 'suspended' })
      await addPrototype({}, { revokedAt: 1 })
      await addPrototype()
      await addPrototype({}, { expiresAt: 1 })
      expect(await ask()).toBe(true)
    })

    test('the first credential of an account counts too', async () => {
      const { account } = await addAccount(withPrototypesFirst(storage), {
        allowedOrigins: ['https://first.example'],
        browserPrototype: true,
      })
      expect(await ask(account.allowedOrigins)).toBe(true)
    })

    /** Writes after which the prototype can no longer be used from SHOP. A cache has the answer from before the write. */
    test.each<[string, (account: Account, prototype: Credential) => Promise<unknown>]>([
      ['revoked', (_, { id }) => storage.revokeCredential(id, NOW, makeCredentialEnd(id), makeAudit())],
      ['deleted with its account', ({ id }) => storage.deleteAccount(id, makeRevocation(), makeAudit())],
      [
        'suspended with its account',
        (account) =>
          storage.updateAccount(
            { ...account, status: 'suspended', updatedAt: account.updatedAt + 1 },
            account.updatedAt,
            [],
          ),
      ],
      [
        'ended because its account allows no prototypes any more',
        (account) =>
          storage.updateAccount(
            { ...account, browserPrototype: false, updatedAt: account.updatedAt + 1 },
            account.updatedAt,
            [],
          ),
      ],
      [
        'moved to another origin',
        (account) =>
          storage.updateAccount(
            { ...account, allowedOrigins: ['https://new.example'], updatedAt: account.updatedAt + 1 },
            account.updatedAt,
            [],
          ),
      ],
    ])('the origin of a prototype that was %s is no longer listed', async (_name, end) => {
      const { account, prototype } = await addPrototype()
      expect(await ask()).toBe(true)
      await end(account, prototype)
      expect(await ask()).toBe(false)
    })
  })
}

/** The store, except that createAccount makes the credential of the new account a prototype. */
function withPrototypesFirst(storage: Storage): Storage {
  return {
    ...storage,
    createAccount: (account, credential, audit) =>
      storage.createAccount(account, { ...credential, browserPrototype: true }, audit),
  }
}
