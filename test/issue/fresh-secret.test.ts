// A secret that another process has just created works here immediately, although an older record is cached: what the
// cached record refuses is checked again with the stored one.

import { expect, test } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { createCreateAccount } from '../../src/admin/account.ts'
import { createCredential, rotateCredential } from '../../src/admin/credential.ts'
import { createAuthenticate } from '../../src/issue/authenticate.ts'
import { createCachedStorage } from '../../src/storage/cached.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'

const NOW = 1_700_000_000_000
const hashSecret = nodeCryptoEngine.createSecretHash('pepper of the tests, thirty-two or more')
const onChange = async (): Promise<void> => undefined

test('a rotated secret and a new credential work in a process that has cached older records', async () => {
  const store = createMemoryStorage()
  let time = 0
  const here = createCachedStorage(store, { now: () => time })
  const there = createCachedStorage(store)
  const authenticate = createAuthenticate(here, hashSecret)
  const input = {
    name: 'Shop',
    allowedOrigins: ['https://www.example.com'],
    scopes: [],
    maxTtl: null,
    browserPrototype: false,
    requireOrigin: false,
  }
  const { account, credential } = await createCreateAccount(there, hashSecret)(input, 'admin', NOW)
  expect(await authenticate(credential, NOW)).toBeDefined()

  time += 500
  const rotated = await rotateCredential(
    { storage: there, hashSecret, onChange, settleMs: 0 },
    credential.id,
    { overlap: 0 },
    'admin',
    NOW,
  )
  if (!rotated.ok) throw new Error(rotated.reason.detail)
  expect(await authenticate(rotated.value, NOW)).toBeDefined()
  expect(await authenticate(credential, NOW)).toBeUndefined()

  const wanted = {
    name: 'two',
    scopes: null,
    expiresAt: null,
    browserPrototype: false,
    allowLocalhost: true,
    jwks: null,
  }
  const unknown = { clientId: 'unknown', clientSecret: 'x' }
  expect(await authenticate(unknown, NOW)).toBeUndefined()
  time += 20
  const second = await createCredential({ storage: there, hashSecret }, account.id, wanted, 'admin', NOW)
  if (!second.ok || !('clientSecret' in second.value)) throw new Error('no secret was made')
  expect(await authenticate(second.value, NOW)).toBeDefined()
})
