// An issuer that rotates its keys, seen from a remote verifier. The first valid signature of a key makes the verifier fetch
// the next key, so that no token is refused. An invalid signature causes no such fetch.

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { createRemoteKeys } from '../../src/verify/keys/remote.ts'
import type { KeySource } from '../../src/verify/keys/source.ts'
import { createTextFetcher } from '../../src/verify/runtime/fetch-text.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { createVerifier, type VerifierRules } from '../../src/verify/verifier.ts'
import {
  body,
  cleanUp,
  createSigner,
  FEED,
  hang,
  JWKS,
  json,
  late,
  type Signer,
  startIssuer,
  status,
  stopClock,
  timed,
} from '../support/issuer.ts'
import { bearerOf, now, RULES, verdictOf } from '../support/mint.ts'

/** Keys in the order in which they sign. */
let signers: readonly Signer[]

beforeAll(async () => {
  signers = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      createSigner(index % 2 === 0 ? 'ES256' : 'EdDSA', `key-${index}`),
    ),
  )
})

cleanUp()

/** The key set while key `current` signs: the last one retires, the next one is published. */
function keysAt(current: number) {
  return json({ keys: signers.slice(Math.max(current - 1, 0), current + 2).map(({ jwk }) => jwk) })
}

const signerAt = (index: number): Signer => signers[index] ?? expect.unreachable('there are eight')

/** An issuer whose first key signs, and a verifier that has seen one of its tokens. */
async function start(rules: Partial<VerifierRules> = {}) {
  const issuer = await startIssuer([])
  issuer.answers.set(JWKS, keysAt(0))
  const verifier = createVerifier({ ...RULES, jwksUri: issuer.jwksUri, revocation: false, ...rules })
  const ask = (token: string): Promise<string> => verdictOf(verifier, bearerOf(token))
  expect(await ask(await signerAt(0).token())).toBe('allowed')
  return {
    issuer,
    ask,
    fetches: () => issuer.askedFor(JWKS).length,
    /** From now on the key of this number signs. */
    rotate: (current: number) => issuer.answers.set(JWKS, keysAt(current)),
    /** Expects that a new token of this key passes. */
    use: async (index: number) => expect(await ask(await signerAt(index).token())).toBe('allowed'),
  }
}

/** Waits for a fetch in the background. */
const settle = (): Promise<void> => sleep(150)

describe('no token is refused', () => {
  test.each([
    ['a verifier with a cache', {}],
    ['a verifier without a cache', { cache: false }],
  ] as const)(
    'by %s, during rotations every ten seconds and a flood of made-up key ids',
    async (_, rules) => {
      const clock = stopClock()
      const { ask, rotate, use, fetches } = await start(rules)
      const old = await signerAt(0).token({ exp: now() + 15 })
      const [, payload, signature] = old.split('.')
      const flood = async (): Promise<void> => {
        for (let count = 0; count < 200; count += 1) {
          const header = { alg: 'ES256', typ: 'at+jwt', kid: randomBytes(8).toString('hex') }
          const text = Buffer.from(JSON.stringify(header)).toString('base64url')
          expect(await ask(`${text}.${payload}.${signature}`)).toBe('invalid_token')
        }
      }
      await flood()
      // One for the first token, one for the flood.
      expect(fetches()).toBe(2)
      for (let current = 1; current <= 6; current += 1) {
        clock.advance(10)
        rotate(current)
        await flood()
        const before = fetches()
        await Promise.all(Array.from({ length: 20 }, () => use(current)))
        await use(current - 1)
        await use(current)
        await settle()
        // If the flood has just caused a fetch, the set is too young for these tokens to cause one, and a later token does.
        clock.advance(1.1)
        await use(current)
        await settle()
        expect(fetches() - before).toBe(1)
        clock.advance(-1.1)
      }
      // In sixty seconds: one for the first token, three for floods, six for rotations.
      expect(fetches()).toBe(1 + 3 + 6)
    },
  )

  test('by a verifier that sees the new key only in the feed’s signature', async () => {
    const clock = stopClock()
    const issuer = await startIssuer([])
    issuer.answers.set(JWKS, keysAt(0))
    issuer.answers.set(FEED, body(await signerAt(0).list([])))
    const revocation = { url: issuer.feedUrl }
    const verifier = createVerifier({ ...RULES, jwksUri: issuer.jwksUri, revocation })
    const token = await signerAt(0).token({ exp: now() + 600 })
    const ask = (text: string): Promise<string> => verdictOf(verifier, bearerOf(text))
    expect(await ask(token)).toBe('allowed')
    for (let current = 1; current <= 3; current += 1) {
      clock.advance(3)
      issuer.answers.set(
        JWKS,
        json({ keys: [signerAt(0), ...signers.slice(current, current + 2)].map(({ jwk }) => jwk) }),
      )
      issuer.answers.set(FEED, body(await signerAt(current).list([])))
      // This token is in the cache, so only the feed shows the new key.
      expect(await ask(token)).toBe('allowed')
      await expect.poll(() => issuer.askedFor(JWKS).length).toBe(1 + current)
      await settle()
    }
    // Key 4 was fetched in advance.
    issuer.answers.set(JWKS, status(500))
    expect(await ask(await signerAt(4).token())).toBe('allowed')
  })
})

describe('the set is fetched', () => {
  test('not when the first key in use signs again', async () => {
    const clock = stopClock()
    const { use, fetches } = await start({ cache: false })
    for (let round = 0; round < 20; round += 1) {
      clock.advance(5)
      await use(0)
    }
    await settle()
    expect(fetches()).toBe(1)
  })

  test('in the background, once for concurrent requests', async () => {
    const clock = stopClock()
    const { issuer, use, fetches } = await start()
    clock.advance(10)
    issuer.answers.set(JWKS, late(1000, keysAt(1)))
    const { ms } = await timed(Promise.all(Array.from({ length: 50 }, () => use(1))))
    expect(ms).toBeLessThan(900)
    await expect.poll(fetches).toBe(2)
    await sleep(1100)
    clock.advance(60)
    await use(1)
    await use(0)
    await settle()
    expect(fetches()).toBe(2)
  })

  test('at most once a second; a key that had to wait causes a fetch with its next token', async () => {
    const clock = stopClock()
    const { use, rotate, fetches } = await start()
    clock.advance(10)
    rotate(1)
    await use(1)
    await expect.poll(fetches).toBe(2)
    await settle()
    rotate(2)
    clock.advance(0.9)
    await use(2)
    await settle()
    expect(fetches()).toBe(2)
    clock.advance(0.1)
    await use(2)
    await expect.poll(fetches).toBe(3)
    await settle()
    clock.advance(5)
    await use(2)
    await settle()
    expect(fetches()).toBe(3)
  })

  test('again after half a minute if the fetch failed', async () => {
    const clock = stopClock()
    const { issuer, use, rotate, fetches } = await start()
    clock.advance(10)
    issuer.answers.set(JWKS, status(503))
    await use(1)
    await expect.poll(fetches).toBe(2)
    await settle()
    rotate(1)
    clock.advance(29)
    await use(1)
    await settle()
    expect(fetches()).toBe(2)
    clock.advance(1)
    await use(1)
    await expect.poll(fetches).toBe(3)
    await settle()
    issuer.answers.set(JWKS, status(503))
    await use(2)
  })

  test('not for an invalid signature', async () => {
    const clock = stopClock()
    const { ask, fetches } = await start()
    clock.advance(10)
    const forged = [
      await signerAt(2).token({}, { kid: 'key-0' }),
      await signerAt(3).token({}, { kid: 'key-1' }),
      await signerAt(0).token({}, { kid: 'key-1' }),
    ]
    const [head, payload] = (await signerAt(1).token()).split('.')
    forged.push(`${head}.${payload}.${(await signerAt(3).token()).split('.')[2]}`)
    for (const token of forged) expect(await ask(token)).toBe('invalid_token')
    await settle()
    expect(fetches()).toBe(1)
  })

  test('for a valid signature, whatever the claims', async () => {
    const clock = stopClock()
    const { ask, fetches } = await start()
    clock.advance(10)
    expect(await ask(await signerAt(1).token({ iat: now() - 90, exp: now() - 60 }))).toBe('token_expired')
    await expect.poll(fetches).toBe(2)
  })
})

describe('which requests wait', () => {
  async function createSource(sharesWork: boolean) {
    const issuer = await startIssuer([])
    issuer.answers.set(JWKS, keysAt(0))
    const keys: KeySource = createRemoteKeys({
      url: issuer.jwksUri,
      load: loadVerifier,
      fetcher: createTextFetcher(fetch),
      now: Date.now,
      sharesWork,
    })
    await keys.load?.('key-0')
    expect(keys.used?.('key-0')).toBeUndefined()
    issuer.answers.set(JWKS, late(100, keysAt(1)))
    return { issuer, keys }
  }

  test('on Workers the request that noticed the rotation, and no other', async () => {
    const clock = stopClock()
    const { keys } = await createSource(false)
    clock.advance(10)
    const waiting = keys.used?.('key-1')
    expect(waiting).toBeInstanceOf(Promise)
    expect(keys.used?.('key-1')).toBeUndefined()
    expect(keys.get('key-2')).toBeUndefined()
    await waiting
    expect(keys.get('key-2')).toMatchObject({ kid: 'key-2' })
    expect(keys.used?.('key-1')).toBeUndefined()
  })

  test('on Workers for a limited time', async () => {
    const clock = stopClock()
    const { issuer, keys } = await createSource(false)
    issuer.answers.set(JWKS, hang)
    clock.advance(10)
    const { ms } = await timed(Promise.resolve(keys.used?.('key-1')))
    expect(ms).toBeGreaterThan(4500)
    expect(ms).toBeLessThan(5500)
    expect(keys.get('key-1')).toMatchObject({ kid: 'key-1' })
  })

  test('none on other runtimes', async () => {
    const clock = stopClock()
    const { keys } = await createSource(true)
    clock.advance(10)
    expect(keys.used?.('key-1')).toBeUndefined()
    await expect.poll(() => keys.get('key-2')).toMatchObject({ kid: 'key-2' })
  })

  test('a renewal that began before the rotation does not count', async () => {
    const clock = stopClock()
    const { issuer, keys } = await createSource(true)
    issuer.answers.set(JWKS, late(200, keysAt(0)))
    clock.advance(600)
    keys.renew?.()
    expect(keys.used?.('key-1')).toBeUndefined()
    await expect.poll(() => issuer.askedFor(JWKS).length).toBe(2)
    await sleep(400)
    issuer.answers.set(JWKS, keysAt(1))
    clock.advance(1)
    keys.used?.('key-1')
    await expect.poll(() => keys.get('key-2')).toMatchObject({ kid: 'key-2' })
  })

  test('none for a list that a new key signed: it applies although the keys cannot be fetched', async () => {
    const clock = stopClock()
    const { issuer, ask } = await start({})
    const verifier = createVerifier({
      ...RULES,
      jwksUri: issuer.jwksUri,
      revocation: { url: issuer.feedUrl },
    })
    issuer.answers.set(FEED, body(await signerAt(0).list([])))
    const token = await signerAt(0).token({ exp: now() + 600 })
    expect(await verdictOf(verifier, bearerOf(token))).toBe('allowed')
    issuer.answers.set(JWKS, hang)
    issuer.answers.set(
      FEED,
      body(await signerAt(1).list([{ jti: 'jti-1', before: now() + 60, until: now() + 900 }])),
    )
    clock.advance(10)
    const { value, ms } = await timed(verdictOf(verifier, bearerOf(token)))
    expect(value).toBe('token_revoked')
    expect(ms).toBeLessThan(400)
    expect(await ask(token)).toBe('allowed')
    verifier.close()
  })
})
