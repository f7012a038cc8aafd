// A key ring follows its store: which keys sign, verify and are published, and which objects stay the same.

import type { JWK } from 'jose'
import { beforeEach, describe, expect, test } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { createKeyLife, type KeyLife } from '../../src/signing/key-life.ts'
import { type KeyRing, openKeyRing } from '../../src/signing/key-ring.ts'
import type { KeyRingEngine } from '../../src/signing/loaded-keys.ts'
import { createFirstKeys, createSigningKey } from '../../src/signing/make-keys.ts'
import type { StoredSigningKey } from '../../src/signing/signing-key.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { createMemoryKeys, type MemoryKeys } from '../support/memory-keys.ts'
import { ALGORITHMS, DAY, GRACE, NOW } from './plans.ts'

/** Ids of keys that were revoked, which the ring must not use. */
const revoked = new Set<string>()
const isRevoked = (kid: string): boolean => revoked.has(kid)
beforeEach(() => revoked.clear())

const terms = { publishMs: 0, rotationMs: null, lifetimeMs: DAY }
const DOWN = new Error('the store is down')

/** The engine of Node, with a log of every key that it loads. */
function createNotingEngine(): KeyRingEngine & { readonly loads: string[] } {
  const loads: string[] = []
  return {
    loads,
    loadSigner(jwk, alg, kid) {
      loads.push(`signer ${kid}`)
      return nodeCryptoEngine.loadSigner(jwk, alg, kid)
    },
    loadLongSigner(jwk, alg) {
      loads.push(`long signer ${jwk.d ?? jwk.k}`)
      return nodeCryptoEngine.loadLongSigner(jwk, alg)
    },
    loadVerifier(jwk: JWK, alg) {
      loads.push(`verifier ${jwk.x ?? jwk.k}`)
      return loadVerifier(jwk, alg)
    },
  }
}

const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
const publishedBy = (ring: KeyRing): readonly string[] =>
  JSON.parse(ring.publicKeySet.body).keys.map(({ kid }: { kid: string }) => kid)

describe.each(ALGORITHMS)('%s', (alg) => {
  let memory: MemoryKeys
  let life: KeyLife
  let engine: ReturnType<typeof createNotingEngine>
  let ring: KeyRing
  let first: string
  let second: string

  beforeEach(async () => {
    memory = createMemoryKeys(await createFirstKeys(alg, NOW))
    life = createKeyLife(memory.store, { alg, ...terms })
    engine = createNotingEngine()
    ring = await openKeyRing(memory.store, engine, alg, isRevoked)
    ;[first = '', second = ''] = memory.keys().map(({ kid }) => kid)
  })
  const rotate = async () => expect((await life.rotate(NOW + 1, { force: true })).ok).toBe(true)
  const statesOf = (kid: string) => memory.keys().find((key) => key.kid === kid)?.state

  test('a ring on an empty store is refused and creates no keys; after the store was opened, every ring finds the same keys', async () => {
    const empty = createMemoryKeys()
    await expect(openKeyRing(empty.store, engine, alg, isRevoked)).rejects.toThrow(`no current ${alg} key`)
    expect(empty.keys()).toEqual([])
    await createKeyLife(empty.store, { alg, ...terms }).open(NOW)
    const opened = await openKeyRing(empty.store, engine, alg, isRevoked)
    const again = await openKeyRing(empty.store, engine, alg, isRevoked)
    expect(empty.keys()).toHaveLength(2)
    expect([again.kid, again.alg]).toEqual([opened.kid, alg])
    expect(await again.find(opened.kid ?? '')?.verify(await opened.sign('{}'))).toBe(true)
  })

  test('two rings on one store: one follows a rotation of the other, and every token still verifies', async () => {
    const other = await openKeyRing(memory.store, engine, alg, isRevoked)
    const { sign } = other
    const before = await other.sign('{}')
    await rotate()
    await ring.refresh()
    const token = await ring.sign('{}')
    expect([ring.kid, kidOf(token)]).toEqual([second, second])
    // The pending key was known before it signed.
    expect(await other.find(second)?.verify(token)).toBe(true)
    expect(other.kid).toBe(first)
    await other.refresh()
    expect([other.kid, kidOf(await other.sign('{}')), kidOf(await sign('{}'))]).toEqual([
      second,
      second,
      second,
    ])
    for (const one of [ring, other]) {
      expect(await one.find(first)?.verify(before)).toBe(true)
      expect(one.isEnded(first)).toBe(false)
    }
    const kids = memory.keys().map(({ kid }) => kid)
    expect([...publishedBy(other)].sort()).toEqual(alg === 'HS256' ? [] : kids.sort())
    expect(other.publicKeySet).toEqual(ring.publicKeySet)
  })

  test('a refresh keeps the objects of unchanged keys, and loads no key twice', async () => {
    const [found, waiting, published] = [ring.find(first), ring.find(second), ring.publicKeySet]
    const loads = engine.loads.length
    for (let round = 0; round < 3; round += 1) await ring.refresh()
    expect(engine.loads).toHaveLength(loads)
    expect(ring.publicKeySet).toBe(published)
    await rotate()
    await ring.refresh()
    await ring.refresh()
    expect(ring.find(first)).toBe(found)
    expect(ring.find(second)).toBe(waiting)
    // The new pending key, and its two signers.
    expect(engine.loads).toHaveLength(loads + 3)
    expect(new Set(engine.loads).size).toBe(engine.loads.length)
    if (alg === 'HS256') expect(ring.publicKeySet).toBe(published)
    else expect(ring.publicKeySet.etag).not.toBe(published.etag)
  })

  test('the key set does not depend on the order in which the store lists its keys', async () => {
    const stored = memory.keys()
    const turned = { ...memory.store, list: async () => stored.toReversed() }
    expect((await openKeyRing(turned, engine, alg, isRevoked)).publicKeySet).toEqual(ring.publicKeySet)
  })

  test('an ended key no longer signs and is not published, but is found, so that its tokens differ from forged ones', async () => {
    const { sign } = ring
    const token = await sign('{}')
    const found = ring.find(first)
    await life.end(first, NOW + 1)
    expect(ring.isEnded(first)).toBe(false)
    await ring.refresh()
    expect(ring.find(first)).toBe(found)
    expect(await ring.find(first)?.verify(token)).toBe(true)
    expect([first, second, 'unknown'].map(ring.isEnded)).toEqual([true, false, false])
    expect([ring.kid, kidOf(await sign('{}')), kidOf(await ring.sign('{}'))]).toEqual([
      second,
      second,
      second,
    ])
    expect(publishedBy(ring)).not.toContain(first)
    // A process that starts now finds it too.
    const fresh = await openKeyRing(memory.store, engine, alg, isRevoked)
    expect([fresh.isEnded(first), await fresh.find(first)?.verify(token)]).toEqual([true, true])
  })

  test('a key that is deleted from the store is no longer found', async () => {
    await rotate()
    await ring.refresh()
    await life.maintain(NOW + 2 * DAY, isRevoked)
    await life.maintain(NOW + 4 * DAY, isRevoked)
    expect(statesOf(first)).toBeUndefined()
    await ring.refresh()
    expect([ring.find(first), ring.isEnded(first), await ring.load(first)]).toEqual([
      undefined,
      false,
      undefined,
    ])
  })

  test('another algorithm takes over: the last key still signs until it expires, and then no key does', async () => {
    const others = createKeyLife(memory.store, { alg: alg === 'EdDSA' ? 'ES256' : 'EdDSA', ...terms })
    await others.open(NOW + 1)
    await ring.refresh()
    expect([ring.kid, statesOf(first), ring.isEnded(first)]).toEqual([first, 'retiring', false])
    const token = await ring.sign('{}')
    const newer = await openKeyRing(memory.store, engine, alg === 'EdDSA' ? 'ES256' : 'EdDSA', isRevoked)
    expect(await newer.find(first)?.verify(token)).toBe(true)
    // The older process verifies what the newer one signs.
    expect(await ring.find(newer.kid ?? '')?.verify(await newer.sign('{}'))).toBe(true)

    await others.maintain(NOW + 1 + DAY + GRACE, isRevoked)
    await ring.refresh()
    await expect(ring.sign('{}')).rejects.toThrow(`no ${alg} key may sign`)
    expect(ring.kid).toBeUndefined()
    expect(ring.isEnded(first)).toBe(true)
    await expect(openKeyRing(memory.store, engine, alg, isRevoked)).rejects.toThrow(`no current ${alg} key`)
    // Its own algorithm is used again.
    await life.open(NOW + 2 * DAY)
    await ring.refresh()
    expect(kidOf(await ring.sign('{}'))).toBe(ring.kid)
  })

  test.each<[string, () => Promise<unknown>]>([
    ['ended', () => life.end(first, NOW + 2)],
    ['deleted', () => memory.store.replace({ expect: [], put: [], remove: [first] })],
  ])('without a current key of its algorithm, the last one %s: signing is refused', async (_, lose) => {
    const others = createKeyLife(memory.store, { alg: alg === 'EdDSA' ? 'ES256' : 'EdDSA', ...terms })
    await others.open(NOW + 1)
    await ring.refresh()
    await lose()
    await ring.refresh()
    await expect(ring.sign('{}')).rejects.toThrow(`no ${alg} key may sign`)
    await ring.refresh()
    await expect(ring.sign('{}')).rejects.toThrow(`no ${alg} key may sign`)
  })

  test('while the store is down, or has a key that does not load, the ring continues with its last keys', async () => {
    const published = ring.publicKeySet
    await rotate()
    memory.fail(DOWN)
    await expect(ring.refresh()).rejects.toBe(DOWN)
    expect(await ring.load('unknown')).toBeUndefined()
    memory.fail(undefined)
    const broken: StoredSigningKey = {
      ...(await createSigningKey('ES256', 'retiring', NOW)),
      jwk: { kty: 'EC' },
    }
    await memory.store.replace({ expect: [], put: [broken], remove: [] })
    await expect(ring.refresh()).rejects.toThrow()
    expect([ring.kid, kidOf(await ring.sign('{}')), ring.publicKeySet]).toEqual([first, first, published])
    await memory.store.replace({ expect: [], put: [], remove: [broken.kid] })
    await ring.refresh()
    expect(ring.kid).toBe(second)
  })

  test('load finds a key that was added after the last read, and gives every caller the same object', async () => {
    await rotate()
    const made = memory.keys().find(({ state }) => state === 'pending')?.kid ?? ''
    expect(ring.find(made)).toBeUndefined()
    const reads = memory.reads()
    const found = await Promise.all(Array.from({ length: 50 }, () => ring.load(made)))
    expect(memory.reads()).toBe(reads + 1)
    expect(found[0]?.kid).toBe(made)
    for (const one of found) expect(one).toBe(ring.find(made))
    expect(ring.kid).toBe(second)
    expect(await ring.load(made)).toBe(found[0])
    expect(memory.reads()).toBe(reads + 1)
  })
})

test.each(['__proto__', 'constructor', '', 'toString'])(
  'an id that is not exactly a kid finds no key: %j',
  async (kid) => {
    const memory = createMemoryKeys(await createFirstKeys('ES256', NOW))
    const ring = await openKeyRing(memory.store, createNotingEngine(), 'ES256', isRevoked)
    expect([ring.find(kid), ring.isEnded(kid), await ring.load(kid)]).toEqual([undefined, false, undefined])
  },
)

describe('overlapping refreshes', () => {
  /** A ring; the test answers its reads, with the keys before a rotation or after it. */
  async function openSlowRing() {
    const memory = createMemoryKeys(await createFirstKeys('ES256', NOW))
    const old = memory.keys()
    await createKeyLife(memory.store, { alg: 'ES256', ...terms }).rotate(NOW, { force: true })
    const next = memory.keys()
    const open: ((keys: readonly StoredSigningKey[]) => void)[] = []
    let isSlow = false
    const store = {
      ...memory.store,
      list: () => (isSlow ? new Promise<readonly StoredSigningKey[]>((resolve) => open.push(resolve)) : old),
    }
    const ring = await openKeyRing(store as typeof memory.store, createNotingEngine(), 'ES256', isRevoked)
    isSlow = true
    const kids = { old: ring.kid, next: next.find(({ state }) => state === 'current')?.kid }
    const settled = () => new Promise((resolve) => setTimeout(resolve, 20))
    return { ring, old, next, open, kids, settled }
  }

  test('when the second is answered first, the answer to the first is ignored as older', async () => {
    const { ring, old, next, open, kids } = await openSlowRing()
    const [one, two] = [ring.refresh(), ring.refresh()]
    open[1]?.(next)
    await two
    expect(ring.kid).toBe(kids.next)
    open[0]?.(old)
    await one
    expect(ring.kid).toBe(kids.next)
    expect(open).toHaveLength(2)
  })

  test('when the first is answered first, with newer keys than the second, the second reads again', async () => {
    const { ring, old, next, open, kids, settled } = await openSlowRing()
    const [one, two] = [ring.refresh(), ring.refresh()]
    open[0]?.(next)
    await one
    expect(ring.kid).toBe(kids.next)
    open[1]?.(old)
    await settled()
    expect(ring.kid).toBe(kids.next)
    expect(open).toHaveLength(3)
    open[2]?.(next)
    await two
    expect(ring.kid).toBe(kids.next)
  })

  test('one that never ends does not delay the others', async () => {
    const { ring, next, open, kids } = await openSlowRing()
    void ring.refresh()
    const two = ring.refresh()
    open[1]?.(next)
    await two
    expect(ring.kid).toBe(kids.next)
  })
})
