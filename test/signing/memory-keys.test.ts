// The store of signing keys in memory keeps the promises of the port.

import { expect, test } from 'vitest'
import { createMemoryKeyStore } from '../../src/signing/memory-keys.ts'
import type { StoredSigningKey } from '../../src/signing/signing-key.ts'

const key = (kid: string, more: Partial<StoredSigningKey> = {}): StoredSigningKey => ({
  kid,
  alg: 'ES256',
  state: 'pending',
  createdAt: 1,
  currentSince: null,
  expiresAt: null,
  jwk: { kty: 'EC' },
  ...more,
})

test('initialize adds keys only when there is none of their algorithm', async () => {
  const store = createMemoryKeyStore()
  await store.initialize([key('a')])
  await store.initialize([key('b')])
  await store.initialize([key('c', { alg: 'EdDSA' })])
  expect((await store.list()).map(({ kid }) => kid)).toEqual(['a', 'c'])
})

test('replace makes the whole change when every expected key has its state, and none otherwise', async () => {
  const store = createMemoryKeyStore()
  await store.initialize([key('a'), key('b', { state: 'current' })])
  const change = { put: [key('a', { state: 'current' })], remove: ['b'] }
  const pending = { kid: 'a', state: 'pending' } as const
  expect(await store.replace({ ...change, expect: [pending, { kid: 'b', state: 'retiring' }] })).toBe(false)
  expect(await store.replace({ ...change, expect: [pending, { kid: 'none', state: 'current' }] })).toBe(false)
  expect(await store.list()).toHaveLength(2)
  expect(await store.replace({ ...change, expect: [pending] })).toBe(true)
  expect(await store.list()).toEqual([key('a', { state: 'current' })])
})
