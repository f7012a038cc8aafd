// A revoked key in a store that cannot be changed: it never signs, is not published, and its tokens are refused.

import { beforeEach, describe, expect, test } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { enforceRevocations } from '../../src/admin/key.ts'
import { applyRevocations, createKeyLife, type KeyRecord } from '../../src/signing/key-life.ts'
import { type KeyRing, openKeyRing } from '../../src/signing/key-ring.ts'
import { createFirstKeys } from '../../src/signing/make-keys.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { createMemoryKeys, type MemoryKeys } from '../support/memory-keys.ts'
import { ALGORITHMS, DAY, NOW } from './plans.ts'

const engine = { ...nodeCryptoEngine, loadVerifier }
const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
const publishedBy = (ring: KeyRing): readonly string[] =>
  JSON.parse(ring.publicKeySet.body).keys.map(({ kid }: { kid: string }) => kid)

let memory: MemoryKeys
let revoked: Set<string>
let ring: KeyRing
let first: string
let second: string

async function open(alg: (typeof ALGORITHMS)[number]): Promise<KeyRing> {
  return openKeyRing(memory.store, engine, alg, (kid) => revoked.has(kid))
}

describe.each(ALGORITHMS)('%s', (alg) => {
  beforeEach(async () => {
    memory = createMemoryKeys(await createFirstKeys(alg, NOW))
    revoked = new Set()
    ring = await open(alg)
    ;[first = '', second = ''] = memory.keys().map(({ kid }) => kid)
  })

  test('the current key revoked: the pending one signs from the next signature on, also after a restart', async () => {
    const { sign } = ring
    const before = await sign('{}')
    expect([kidOf(before), ring.state]).toEqual([first, 'ok'])
    revoked.add(first)
    for (const one of [ring, await open(alg)]) {
      expect([one.kid, kidOf(await one.sign('{}')), one.state]).toEqual([second, second, 'degraded'])
      expect(one.revocationSigner.kid).toBe(second)
      expect([first, second].map(one.isEnded)).toEqual([true, false])
      // The key is still found, so that its tokens differ from forged ones.
      expect(await one.find(first)?.verify(before)).toBe(true)
    }
    expect(kidOf(await sign('{}'))).toBe(second)
    await ring.refresh()
    expect([ring.kid, ring.state]).toEqual([second, 'degraded'])
  })

  test('both keys revoked: signing is refused, and the service still starts', async () => {
    revoked.add(first).add(second)
    for (const one of [ring, await open(alg)]) {
      await expect(one.sign('{}')).rejects.toThrow(`no ${alg} key may sign`)
      expect(() => one.revocationSigner).toThrow(`no ${alg} key may sign`)
      expect([one.kid, one.state, publishedBy(one)]).toEqual([undefined, 'failed', []])
      expect([first, second].map(one.isEnded)).toEqual([true, true])
    }
  })

  test('only the pending key revoked: the current one still signs, and the state is degraded', async () => {
    revoked.add(second)
    expect([ring.kid, kidOf(await ring.sign('{}')), ring.state]).toEqual([first, first, 'degraded'])
  })

  test('a retiring key revoked: nothing else changes', async () => {
    const life = createKeyLife(memory.store, { alg, publishMs: 0, rotationMs: null, lifetimeMs: DAY })
    await life.rotate(NOW + 1, { force: true })
    await ring.refresh()
    revoked.add(first)
    expect([ring.kid, ring.state, ring.isEnded(first)]).toEqual([second, 'ok', true])
    expect(publishedBy(ring)).not.toContain(first)
  })

  test('a revoked key leaves the key set, which gets another ETag; every replica publishes the same', async () => {
    const other = await open(alg)
    const before = ring.publicKeySet
    revoked.add(first)
    const after = ring.publicKeySet
    expect(ring.publicKeySet).toBe(after)
    expect(other.publicKeySet).toEqual(after)
    expect(publishedBy(ring)).toEqual(alg === 'HS256' ? [] : [second])
    if (alg !== 'HS256') expect(after.etag).not.toBe(before.etag)
    revoked.delete(first)
    revoked.add(second)
    if (alg !== 'HS256') expect([before.etag, after.etag]).not.toContain(ring.publicKeySet.etag)
    expect(ring.publicKeySet.etag).toMatch(/^"[\w-]+"$/)
    revoked.clear()
    expect(ring.publicKeySet).toEqual(before)
  })

  test('when the store accepts the change, the state is ok again', async () => {
    revoked.add(first)
    const life = createKeyLife(memory.store, { alg, publishMs: 0, rotationMs: null, lifetimeMs: DAY })
    expect(await life.end(first, NOW + 1)).toBe(true)
    await ring.refresh()
    expect([ring.kid, ring.state]).toEqual([second, 'ok'])
  })

  describe.each([true, false])(
    'a rotation with force %s, while a revoked key is still stored as current or pending',
    (force) => {
      const rotate = (): ReturnType<ReturnType<typeof enforceRevocations>['rotate']> => {
        const life = createKeyLife(memory.store, { alg, publishMs: DAY, rotationMs: null, lifetimeMs: DAY })
        return enforceRevocations(life, (kid) => revoked.has(kid)).rotate(NOW + 1, { force })
      }

      test('the current key revoked: the pending one signs, however young it is', async () => {
        revoked.add(first)
        expect((await rotate()).ok).toBe(true)
        await ring.refresh()
        expect([ring.kid, ring.state]).toEqual([second, 'ok'])
      })

      test('both keys revoked: new ones are created, and none of them is revoked', async () => {
        revoked.add(first).add(second)
        expect((await rotate()).ok).toBe(true)
        await ring.refresh()
        expect([revoked.has(ring.kid ?? ''), ring.state]).toEqual([false, 'ok'])
        expect(
          memory
            .keys()
            .filter(({ kid }) => revoked.has(kid))
            .map(({ state }) => state),
        ).toEqual(['expired', 'expired'])
      })

      test('the pending key revoked: it never signs', async () => {
        revoked.add(second)
        expect((await rotate()).ok).toBe(force)
        await ring.refresh()
        expect([ring.kid === first, ring.kid === second, ring.state]).toEqual([!force, false, 'ok'])
      })
    },
  )
})

describe('the reported state of a store', () => {
  beforeEach(async () => {
    memory = createMemoryKeys(await createFirstKeys('ES256', NOW))
    revoked = new Set()
    ring = await open('ES256')
  })

  test('that cannot be read: degraded, until it can be read', async () => {
    memory.fail(new Error('the store is down'))
    await expect(ring.refresh()).rejects.toThrow('down')
    expect([ring.state, ring.kid]).toEqual(['degraded', expect.any(String)])
    memory.fail(undefined)
    await ring.refresh()
    expect(ring.state).toBe('ok')
  })

  test('that is empty: failed, while the keys in memory sign; no key is created, also not by a forced rotation', async () => {
    const life = createKeyLife(memory.store, { alg: 'ES256', publishMs: 0, rotationMs: 1, lifetimeMs: DAY })
    expect(await life.open(NOW)).toBe(false)
    const stored = memory.keys()
    await memory.store.replace({ expect: [], put: [], remove: stored.map(({ kid }) => kid) })
    await expect(ring.refresh()).rejects.toThrow('the key store is empty')
    expect([ring.state, kidOf(await ring.sign('{}'))]).toEqual(['failed', stored[0]?.kid])
    for (const force of [true, false])
      await expect(life.rotate(NOW + DAY, { force })).rejects.toThrow('the key store is empty')
    await expect(life.maintain(NOW + DAY, () => false)).rejects.toThrow('the key store is empty')
    expect(await life.end(stored[0]?.kid ?? '', NOW)).toBe(false)
    expect(memory.keys()).toEqual([])
    await memory.store.replace({ expect: [], put: stored, remove: [] })
    await ring.refresh()
    expect(ring.state).toBe('ok')
  })

  test('that is opened for the first time: its keys are reported as new', async () => {
    const empty = createMemoryKeys()
    const life = createKeyLife(empty.store, { alg: 'EdDSA', publishMs: 0, rotationMs: null, lifetimeMs: DAY })
    expect([await life.open(NOW), await life.open(NOW)]).toEqual([true, false])
    // Keys of another algorithm count too: their tokens are still valid.
    const other = createKeyLife(empty.store, {
      alg: 'ES256',
      publishMs: 0,
      rotationMs: null,
      lifetimeMs: DAY,
    })
    expect(await other.open(NOW)).toBe(false)
  })
})

describe('keys in the list for operators', () => {
  const key = (kid: string, state: KeyRecord['state'], alg: KeyRecord['alg'] = 'ES256'): KeyRecord => ({
    kid,
    alg,
    state,
    createdAt: NOW,
    currentSince: null,
    expiresAt: null,
  })
  const keys = [key('a', 'current'), key('b', 'pending'), key('c', 'retiring'), key('d', 'expired')]
  test.each([
    ['none', [], 'a current, b pending, c retiring, d expired'],
    ['the current one', ['a'], 'b current, c retiring, a expired, d expired'],
    ['the pending one', ['b'], 'a current, c retiring, b expired, d expired'],
    ['both', ['a', 'b'], 'c retiring, a expired, b expired, d expired'],
    ['a retiring one', ['c', 'unknown'], 'a current, b pending, c expired, d expired'],
  ])('%s revoked', (_, kids, shown) => {
    const found = applyRevocations(keys, (kid) => kids.includes(kid))
    expect(found.map(({ kid, state }) => `${kid} ${state}`).join(', ')).toBe(shown)
  })

  test('a pending key replaces only a revoked key of its own algorithm', () => {
    const mixed = [key('a', 'current'), key('b', 'pending', 'EdDSA')]
    const found = applyRevocations(mixed, (kid) => kid === 'a')
    expect(found.map(({ kid, state }) => `${kid} ${state}`)).toEqual(['b pending', 'a expired'])
  })
})
