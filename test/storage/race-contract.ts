// The contract of every adapter for concurrent writes: one consistent state, and audit entries for exactly the writes
// that answered true.

import { describe, expect, test } from 'vitest'
import type { AuditEntry } from '../../src/claims/records/account.ts'
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

const COUNT = 50

export function describeRaces(name: string, open: () => Promise<OpenedStorage>): void {
  describe(`races contract: ${name}`, () => {
    let storage: Storage
    let first: Awaited<ReturnType<typeof addAccount>>

    openEach(open, async (opened) => {
      storage = opened.storage
      first = await addAccount(storage)
    })

    /** Runs `write` many times concurrently, and checks the audit log. Returns the indexes of those that got true. */
    async function race(
      write: (audit: AuditEntry, index: number) => Promise<boolean>,
      count = COUNT,
    ): Promise<number[]> {
      const audits = Array.from({ length: count }, () => makeAudit())
      const answers = await Promise.all(audits.map(write))
      const winners = answers.flatMap((answer, index) => (answer ? [index] : []))
      const logged = (await storage.listAudit(undefined, 200)).map(({ id }) => id)
      const expected = [first.audit, ...winners.map((index) => audits[index]!)].map(({ id }) => id)
      expect(logged.sort()).toEqual(expected.sort())
      return winners
    }

    test('of 50 concurrent rotations from one secret, one succeeds', async () => {
      const { id, secretHash } = first.credential
      const winners = await race((audit, index) =>
        storage.replaceSecret(
          id,
          { secretHash: `hash-${index}`, previousHash: secretHash, previousExpiresAt: index },
          secretHash!,
          audit,
        ),
      )
      expect(winners).toHaveLength(1)
      expect(await storage.listCredentials(first.account.id)).toEqual([
        {
          ...first.credential,
          secretHash: `hash-${winners[0]}`,
          previousHash: secretHash,
          previousExpiresAt: winners[0],
        },
      ])
    })

    test('50 rotations, each from the secret that it reads, follow one another without a gap', async () => {
      const { id } = first.credential
      const pairs: [string, string][] = []
      const winners = await race(async (audit, index) => {
        const old = (await storage.listCredentials(first.account.id))[0]?.secretHash ?? ''
        const change = { secretHash: `hash-${index}`, previousHash: old, previousExpiresAt: index }
        const isMade = await storage.replaceSecret(id, change, old, audit)
        if (isMade) pairs.push([old, change.secretHash])
        return isMade
      })
      expect(winners.length).toBeGreaterThan(0)
      const next = new Map(pairs)
      expect(next.size).toBe(pairs.length)
      let hash = first.credential.secretHash!
      for (let step = 0; step < pairs.length; step++) hash = next.get(hash) ?? ''
      expect((await storage.findCredential(id))?.credential.secretHash).toBe(hash)
    })

    test('of 50 concurrent updates of one account, one succeeds, with its own origins', async () => {
      const { account } = first
      const winners = await race((audit, index) =>
        storage.updateAccount(
          // All have the same new updatedAt, as updates that begin in the same millisecond do.
          {
            ...account,
            name: `${index}`,
            allowedOrigins: [`https://${index}.example`],
            updatedAt: account.updatedAt + 1,
          },
          account.updatedAt,
          [audit],
        ),
      )
      expect(winners).toHaveLength(1)
      const found = await storage.getAccount(account.id)
      expect(found?.name).toBe(`${winners[0]}`)
      expect(found?.allowedOrigins).toEqual([`https://${winners[0]}.example`])
      for (let index = 0; index < COUNT; index++) {
        const isListed = await storage.isAnyOriginListed([`https://${index}.example`])
        expect(isListed).toBe(index === winners[0])
      }
    })

    test('12 concurrent updates that retry after a conflict all take effect', async () => {
      // Only 12: each update that succeeds makes all the others retry.
      const winners = await race(async (audit, index) => {
        for (let tries = 0; tries < 50; tries++) {
          const account = await storage.getAccount(first.account.id)
          if (account === undefined) return false
          const scopes = [...account.scopes, `scope-${index}`]
          const next = { ...account, scopes, updatedAt: account.updatedAt + 1 }
          if (await storage.updateAccount(next, account.updatedAt, [audit])) return true
        }
        throw new Error('no update succeeded in 50 tries')
      }, 12)
      expect(winners).toHaveLength(12)
      const account = await storage.getAccount(first.account.id)
      expect(new Set(account?.scopes)).toEqual(
        new Set([...first.account.scopes, ...winners.map((index) => `scope-${index}`)]),
      )
      expect(account?.updatedAt).toBe(first.account.updatedAt + 12)
    })

    test('of 50 concurrent deletions one succeeds and writes one revocation', async () => {
      const { id } = first.account
      const winners = await race((audit, index) =>
        storage.deleteAccount(id, makeRevocation({ kind: 'sub', value: id, before: index }), audit),
      )
      expect(winners).toHaveLength(1)
      expect(await storage.listAccounts(undefined, 50)).toEqual([])
      const rules = await listRules(storage, 0)
      expect(rules.map(({ before }) => before)).toEqual(winners)
    })

    test('of 50 concurrent revocations of one credential one succeeds, and its time is kept', async () => {
      const { id } = first.credential
      const winners = await race((audit, index) =>
        storage.revokeCredential(id, 1000 + index, makeCredentialEnd(id, 1000 + index), audit),
      )
      expect(winners).toHaveLength(1)
      expect((await storage.findCredential(id))?.credential.revokedAt).toBe(1000 + winners[0]!)
      expect(await listRules(storage, 0)).toMatchObject([{ value: id, before: 301_000 + winners[0]! }])
    })

    test('of 50 concurrent revocations with one id one is stored', async () => {
      const revocation = makeRevocation()
      const winners = await race((audit, index) =>
        storage.addRevocation({ ...revocation, before: index }, audit),
      )
      expect(winners).toHaveLength(1)
      expect((await listRules(storage, 0)).map(({ before }) => before)).toEqual(winners)
    })

    test('of 50 concurrent audit entries with one id one is written', async () => {
      const entries = Array.from({ length: COUNT }, (_, index) => makeAudit({ id: 'aud_once', at: index }))
      const answers = await Promise.all(entries.map((entry) => storage.appendAuditOnce(entry)))
      const winners = answers.flatMap((answer, index) => (answer ? [entries[index]!] : []))
      expect(winners).toHaveLength(1)
      expect(await storage.listAudit(undefined, 200)).toEqual([first.audit, ...winners])
    })

    test('of 50 lifetimes raised together the longest is kept, and no caller gets less than it recorded', async () => {
      const given = Array.from({ length: COUNT }, (_, index) => 60 + ((index * 37) % COUNT))
      const recorded = await Promise.all(given.map((seconds) => storage.raiseLongestLifetime(seconds)))
      for (const [index, seconds] of given.entries()) expect(recorded[index]).toBeGreaterThanOrEqual(seconds)
      expect(await storage.raiseLongestLifetime(0)).toBe(60 + COUNT - 1)
    })

    test('concurrent writes of every kind on one account leave exactly the changes whose answer was true', async () => {
      const { account, credential } = first
      const kinds = ['update', 'rotate', 'revoke', 'add', 'delete'] as const
      const winners = await race((audit, index) => {
        const kind = kinds[index % kinds.length]!
        const changed = { ...account, name: `${index}`, updatedAt: account.updatedAt + 1 }
        const change = { secretHash: `hash-${index}`, previousHash: null, previousExpiresAt: null }
        if (kind === 'update') return storage.updateAccount(changed, account.updatedAt, [audit])
        if (kind === 'rotate')
          return storage.replaceSecret(credential.id, change, credential.secretHash!, audit)
        if (kind === 'revoke')
          return storage.revokeCredential(
            credential.id,
            index,
            makeCredentialEnd(credential.id, index),
            audit,
          )
        if (kind === 'add') return storage.createCredential(makeCredential(account.id), audit)
        return storage.deleteAccount(account.id, makeRevocation({ kind: 'sub', value: account.id }), audit)
      })
      expect(winners.filter((index) => kinds[index % kinds.length] === 'delete')).toHaveLength(1)
      expect(await storage.listAccounts(undefined, 50)).toEqual([])
      expect(await storage.listCredentials(account.id)).toEqual([])
      expect(await storage.isAnyOriginListed(account.allowedOrigins)).toBe(false)
      const isRevoked = winners.some((index) => kinds[index % kinds.length] === 'revoke')
      const ended = isRevoked ? [credential.id, account.id] : [account.id]
      expect((await listRules(storage, 0)).map(({ value }) => value)).toEqual(ended)
    })

    test('of 50 concurrent uses the latest time is kept', async () => {
      const { id } = first.credential
      const times = Array.from({ length: COUNT }, (_, index) => 1000 + ((index * 37) % COUNT))
      await Promise.all(times.map((at) => storage.touchCredentials(new Map([[id, at]]))))
      expect((await storage.listCredentials(first.account.id))[0]?.lastUsedAt).toBe(1000 + COUNT - 1)
    })
  })
}
