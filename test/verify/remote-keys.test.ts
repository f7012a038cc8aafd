// Keys from an issuer's URL: when they are fetched, what replaces them, and how long they are used without the issuer.

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { createRemoteKeys } from '../../src/verify/keys/remote.ts'
import type { KeySource } from '../../src/verify/keys/source.ts'
import { createTextFetcher } from '../../src/verify/runtime/fetch-text.ts'
import { loadVerifier, loadWebVerifier } from '../../src/verify/runtime/load-key.ts'
import { createVerifier } from '../../src/verify/verifier.ts'
import {
  type Answer,
  body,
  breakOff,
  cleanUp,
  createSigner,
  findClosedPort,
  hang,
  type Issuer,
  JWKS,
  json,
  late,
  type Signer,
  stall,
  startIssuer,
  status,
  stopClock,
  timed,
} from '../support/issuer.ts'
import { bearerOf, RULES, verdictOf } from '../support/mint.ts'
import type { Json } from '../support/wire.ts'

let es: Signer
let ed: Signer
let hs: Signer
let stranger: Signer

beforeAll(async () => {
  es = await createSigner('ES256')
  ed = await createSigner('EdDSA')
  hs = await createSigner('HS256')
  stranger = await createSigner('ES256', 'stranger')
})

cleanUp()

const MINUTE = 60
const HOUR = 60 * MINUTE

function createAsking(jwksUri: string): (token: string) => Promise<string> {
  const verifier = createVerifier({ ...RULES, jwksUri })
  return (token) => verdictOf(verifier, bearerOf(token))
}

async function start(keys: readonly Json[] = [es.jwk, ed.jwk]) {
  const issuer = await startIssuer(keys)
  return { issuer, ask: createAsking(issuer.jwksUri), fetches: () => issuer.askedFor(JWKS).length }
}

/** A source as it runs on Node, or as on Workers, without a verifier around it. */
function createSource({ jwksUri }: Issuer, sharesWork = true, load = loadVerifier): KeySource {
  const fetcher = createTextFetcher(fetch)
  return createRemoteKeys({ url: jwksUri, load, fetcher, now: Date.now, sharesWork })
}

/** `load`, which is optional in the port but not in a remote source. */
function load(keys: KeySource, kid: string) {
  return keys.load?.(kid) ?? expect.unreachable('a remote source loads')
}

describe('when keys are fetched', () => {
  test('not before the first token, once for concurrent requests, not again while they are fresh', async () => {
    const clock = stopClock()
    const { issuer, ask, fetches } = await start()
    issuer.answers.set(JWKS, late(100, json({ keys: [es.jwk, ed.jwk] })))
    expect(fetches()).toBe(0)
    const tokens = await Promise.all([es.token(), ed.token(), stranger.token()])
    const verdicts = await Promise.all([...tokens, ...tokens].map(ask))
    expect(verdicts).toEqual([...Array(2)].flatMap(() => ['allowed', 'allowed', 'invalid_token']))
    expect(fetches()).toBe(1)
    clock.advance(10 * MINUTE - 1)
    expect(await ask(await es.token())).toBe('allowed')
    expect(fetches()).toBe(1)
    expect(issuer.askedFor(JWKS)[0]?.accept).toContain('application/json')
  })

  test('after ten minutes in the background', async () => {
    const clock = stopClock()
    const { issuer, ask, fetches } = await start()
    expect(await ask(await es.token())).toBe('allowed')
    issuer.answers.set(JWKS, hang)
    clock.advance(10 * MINUTE)
    const token = await es.token()
    const { value, ms } = await timed(Promise.all(Array.from({ length: 50 }, () => ask(token))))
    expect(new Set(value)).toEqual(new Set(['allowed']))
    expect(ms).toBeLessThan(1000)
    await expect.poll(fetches).toBe(2)
  })

  test('again half a minute after a failed renewal', async () => {
    const clock = stopClock()
    const { issuer, ask, fetches } = await start()
    await ask(await es.token())
    issuer.answers.set(JWKS, status(500))
    clock.advance(11 * MINUTE)
    // A request with an unknown key waits for the current renewal.
    await ask(await stranger.token())
    expect(fetches()).toBe(2)
    clock.advance(29)
    await ask(await es.token())
    // A fetch in the background takes some time.
    await sleep(200)
    expect(fetches()).toBe(2)
    clock.advance(1)
    await ask(await es.token())
    await expect.poll(fetches).toBe(3)
  })

  test('for a token with a new key immediately, but at most once in half a minute', async () => {
    const clock = stopClock()
    const { issuer, ask, fetches } = await start([es.jwk])
    expect(await ask(await es.token())).toBe('allowed')
    issuer.answers.set(JWKS, json({ keys: [es.jwk, ed.jwk] }))
    expect(await ask(await ed.token())).toBe('allowed')
    issuer.answers.set(JWKS, json({ keys: [es.jwk, ed.jwk, stranger.jwk] }))
    clock.advance(29)
    expect(await ask(await stranger.token())).toBe('invalid_token')
    expect(fetches()).toBe(2)
    clock.advance(1)
    expect(await ask(await stranger.token())).toBe('allowed')
    expect(fetches()).toBe(3)
  })

  test.each(['warm', 'cold'])('once in half a minute for ten thousand made-up key ids: %s', async (how) => {
    const clock = stopClock()
    const { ask, fetches } = await start()
    if (how === 'warm') expect(await ask(await es.token())).toBe('allowed')
    const before = fetches()
    const [, payload, signature] = (await es.token()).split('.')
    const flood = async (): Promise<void> => {
      for (let round = 0; round < 100; round += 1) {
        const verdicts = await Promise.all(
          Array.from({ length: 50 }, () => {
            const header = { alg: 'ES256', typ: 'at+jwt', kid: randomBytes(8).toString('hex') }
            return ask(`${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${signature}`)
          }),
        )
        expect(new Set(verdicts)).toEqual(new Set(['invalid_token']))
        if (round % 25 === 0) clock.advance(7)
      }
    }
    await flood()
    expect(fetches() - before).toBe(1)
    expect(await ask(await es.token())).toBe('allowed')
    clock.advance(2)
    await flood()
    expect(fetches() - before).toBe(2)
    expect(await ask(await ed.token())).toBe('allowed')
  })

  test('a clock that was set back does not lengthen any interval', async () => {
    const clock = stopClock()
    const { issuer, ask } = await start([es.jwk])
    expect(await ask(await es.token())).toBe('allowed')
    expect(await ask(await stranger.token())).toBe('invalid_token')
    clock.advance(-2 * HOUR)
    issuer.answers.set(JWKS, json({ keys: [es.jwk, ed.jwk] }))
    expect(await ask(await es.token())).toBe('allowed')
    expect(await ask(await ed.token())).toBe('allowed')
  })
})

/** Answers from which a verifier must not take keys. */
const rubbish: readonly (readonly [string, () => Answer])[] = [
  ['a 404', () => status(404)],
  ['a 500 with good keys in it', () => status(500, {}, JSON.stringify({ keys: [ed.jwk] }))],
  ['a 203 with good keys in it', () => status(203, {}, JSON.stringify({ keys: [ed.jwk] }))],
  ['a 304 to a request without an entity tag', () => status(304)],
  ['a 204', () => status(204)],
  ['nothing', () => body('')],
  ['an HTML page', () => body('<!doctype html><title>Welcome to the hotel</title>')],
  ['JSON that is not an object', () => json([ed.jwk])],
  ['an object without keys', () => json({})],
  ['keys that are not a list', () => json({ keys: { [ed.kid]: ed.jwk } })],
  ['a list of rubbish', () => json({ keys: [null, 1, 'key', [], {}] })],
  ['an empty list', () => json({ keys: [] })],
  ['a shared secret', () => json({ keys: [hs.jwk] })],
  ['private keys', () => json({ keys: [es.privateJwk, ed.privateJwk] })],
  ['keys for encryption', () => json({ keys: [{ ...ed.jwk, use: 'enc' }] })],
  ['two members named keys', () => body(`{"keys":[],"keys":${JSON.stringify([ed.jwk])}}`)],
  ['broken JSON', () => body(JSON.stringify({ keys: [ed.jwk] }).slice(0, -1))],
  ['invalid UTF-8', () => body(Buffer.from(JSON.stringify({ keys: [ed.jwk], x: 'ÿ' }), 'latin1'))],
  ['over 256 KiB', () => json({ keys: [ed.jwk], pad: 'x'.repeat(256 * 1024) })],
  ['half an answer', () => breakOff(JSON.stringify({ keys: [ed.jwk] }))],
  ['a connection that is cut', () => (_, response) => response.destroy()],
  ['an answer that never ends', () => stall(JSON.stringify({ keys: [ed.jwk] }))],
  ['no answer', () => hang],
]

describe('an answer without usable keys never replaces keys, and does not count as a first set', () => {
  test.concurrent.each(rubbish)('%s', async (_, answer) => {
    // Concurrent tests need the real clock. An unknown key id causes another fetch.
    const { issuer, ask, fetches } = await start([es.jwk])
    expect(await ask(await es.token())).toBe('allowed')
    issuer.answers.set(JWKS, answer())
    for (const signer of [ed, stranger]) expect(await ask(await signer.token())).toBe('invalid_token')
    expect(fetches()).toBe(2)
    expect(await ask(await es.token())).toBe('allowed')

    const cold = createAsking(issuer.jwksUri)
    const first = await timed(cold(await es.token()))
    expect(first.value).toBe('unavailable')
    expect(first.ms).toBeLessThan(5500)
    // Right after a failed fetch requests do not wait again.
    const second = await timed(cold(await ed.token()))
    expect(second.value).toBe('unavailable')
    expect(second.ms).toBeLessThan(500)
    expect(fetches()).toBe(3)
  })

  test.each([301, 302, 303, 307, 308])('a redirect (%i) is not followed', async (code) => {
    const { issuer, ask } = await start()
    issuer.answers.set('/elsewhere', json({ keys: [es.jwk] }))
    issuer.answers.set(JWKS, status(code, { location: '/elsewhere' }))
    expect(await ask(await es.token())).toBe('unavailable')
    expect(issuer.askedFor('/elsewhere')).toEqual([])
  })

  test('an issuer that does not listen', async () => {
    const ask = createAsking(`http://127.0.0.1:${await findClosedPort()}/`)
    const { value, ms } = await timed(ask(await es.token()))
    expect(value).toBe('unavailable')
    expect(ms).toBeLessThan(1000)
  })

  test('an issuer that starts later is used', async () => {
    const clock = stopClock()
    const { issuer, ask } = await start()
    issuer.answers.set(JWKS, status(503))
    expect(await ask(await es.token())).toBe('unavailable')
    issuer.answers.set(JWKS, json({ keys: [es.jwk] }))
    clock.advance(1)
    expect(await ask(await es.token())).toBe('allowed')
  })
})

test('while the issuer is down, its keys verify for a day, and again when it is back', async () => {
  const clock = stopClock()
  const { issuer, ask } = await start()
  expect(await ask(await es.token())).toBe('allowed')
  issuer.answers.set(JWKS, status(503))
  for (let hour = 1; hour <= 23; hour += 1) {
    clock.advance(HOUR)
    expect(await ask(await es.token()), `hour ${hour}`).toBe('allowed')
  }
  const cached = await es.token({ exp: Math.floor(Date.now() / 1000) + 5 * HOUR })
  expect(await ask(cached)).toBe('allowed')
  clock.advance(2 * HOUR)
  expect(await ask(cached)).toBe('unavailable')
  expect(await ask(await es.token())).toBe('unavailable')
  issuer.answers.set(JWKS, json({ keys: [es.jwk] }))
  clock.advance(1)
  expect(await ask(cached)).toBe('allowed')
})

describe('keys that are used from a set', () => {
  test('valid keys, whatever other keys it has', async () => {
    const oct = { kty: 'oct', kid: 'oct', k: 'A'.repeat(43) }
    const rsa = { kty: 'RSA', kid: 'rsa', n: 'AQAB', e: 'AQAB', alg: 'RS256' }
    const odd = [
      null,
      'key',
      7,
      [],
      {},
      { kty: 'EC', kid: 'x' },
      { ...es.jwk, kid: 7 },
      { ...es.jwk, kid: '' },
    ]
    const { ask } = await start([
      ...[...odd, oct, rsa, hs.jwk],
      ...[stranger.privateJwk, { ...es.jwk, kid: 'enc', use: 'enc' }, { ...es.jwk, kid: 'off', y: es.jwk.x }],
      ...[
        { ...es.jwk, use: 'sig', alg: 'ES256', x5c: ['AAAA'], ext: true },
        { ...ed.jwk, alg: 'Ed25519' },
      ],
    ])
    expect(await ask(await es.token())).toBe('allowed')
    expect(await ask(await ed.token())).toBe('allowed')
    expect(await ask(await hs.token())).toBe('invalid_token')
    expect(await ask(await stranger.token())).toBe('invalid_token')
    expect(await ask(await es.token({}, { kid: 'enc' }))).toBe('invalid_token')
  })

  test('at most two hundred', async () => {
    const many = Array.from({ length: 201 }, (_, index) => ({ ...es.jwk, kid: `key-${index}` }))
    const { ask } = await start(many)
    const verdicts = []
    for (const kid of ['key-0', 'key-100', 'key-199', 'key-200']) {
      verdicts.push(await ask(await es.token({}, { kid })))
    }
    expect(verdicts).toEqual(['allowed', 'allowed', 'allowed', 'invalid_token'])
  })

  test('the first of two keys with one kid', async () => {
    const { ask } = await start([es.jwk, { ...stranger.jwk, kid: es.kid }])
    expect(await ask(await es.token())).toBe('allowed')
    expect(await ask(await stranger.token({}, { kid: es.kid }))).toBe('invalid_token')
  })

  test.each([
    ['on Node', loadVerifier],
    ['on WebCrypto', loadWebVerifier],
  ])('an unchanged key stays the same object, a changed one does not: %s', async (_, engine) => {
    const clock = stopClock()
    const { issuer } = await start()
    const keys = createSource(issuer, true, engine)
    const first = await load(keys, es.kid)
    const firstEd = await load(keys, ed.kid)
    issuer.answers.set(
      JWKS,
      json({
        keys: [
          { ...stranger.jwk, kid: ed.kid },
          { use: 'sig', ...es.jwk },
        ],
      }),
    )
    clock.advance(11 * MINUTE)
    keys.renew?.()
    await expect.poll(() => keys.get(ed.kid)).not.toBe(firstEd)
    expect(keys.get(ed.kid)).toMatchObject({ kid: ed.kid, alg: 'ES256' })
    expect(first).toMatchObject({ kid: es.kid, alg: 'ES256' })
    expect(keys.get(es.kid)).toBe(first)
  })
})

describe('verified tokens leave the cache with their key', () => {
  test.each<[string, () => Json]>([
    ['withdrawn', () => ({ keys: [ed.jwk] })],
    ['replaced under its id', () => ({ keys: [ed.jwk, { ...stranger.jwk, kid: es.kid }] })],
  ])('%s', async (_, changed) => {
    const clock = stopClock()
    const { issuer, ask } = await start()
    const [token, other] = [await es.token({ exp: 9e9 }), await ed.token({ exp: 9e9 })]
    for (const one of [token, token, other]) expect(await ask(one)).toBe('allowed')
    issuer.answers.set(JWKS, json(changed()))
    clock.advance(10 * MINUTE)
    // This token still finds the old keys, and causes a fetch.
    expect(await ask(token)).toBe('allowed')
    await expect.poll(() => ask(token)).toBe('invalid_token')
    expect(await ask(other)).toBe('allowed')
  })
})

describe('on Workers, where requests share no promise', () => {
  test('concurrent requests cause one fetch, and each gets its own result', async () => {
    const { issuer, fetches } = await start()
    issuer.answers.set(JWKS, late(150, json({ keys: [es.jwk] })))
    const keys = createSource(issuer, false)
    const found = await Promise.all([es.kid, es.kid, 'x', es.kid].map((kid) => load(keys, kid)))
    expect(found.map((key) => (typeof key === 'object' ? key.kid : key))).toEqual([
      es.kid,
      es.kid,
      undefined,
      es.kid,
    ])
    expect(fetches()).toBe(1)
  })

  test('the request that starts a renewal waits for it', async () => {
    const clock = stopClock()
    const { issuer } = await start([es.jwk])
    const keys = createSource(issuer, false)
    await load(keys, es.kid)
    issuer.answers.set(JWKS, late(100, json({ keys: [ed.jwk] })))
    clock.advance(11 * MINUTE)
    const renewing = keys.renew?.()
    expect(renewing).toBeInstanceOf(Promise)
    expect(keys.renew?.()).toBeUndefined()
    await renewing
    expect([keys.get(es.kid), keys.get(ed.kid)?.kid]).toEqual([undefined, ed.kid])
  })
})

test('a closed verifier cancels its fetch and answers unavailable', async () => {
  const { issuer, fetches } = await start()
  issuer.answers.set(JWKS, hang)
  const verifier = createVerifier({ ...RULES, jwksUri: issuer.jwksUri, revocation: false })
  const waiting = timed(verdictOf(verifier, bearerOf(await es.token())))
  await expect.poll(fetches).toBe(1)
  verifier.close()
  const { value, ms } = await waiting
  expect(value).toBe('unavailable')
  expect(ms).toBeLessThan(1000)
  expect(await verdictOf(verifier, bearerOf(await es.token()))).toBe('unavailable')
  expect(await verdictOf(verifier, bearerOf('garbage'))).toBe('unavailable')
  expect(fetches()).toBe(1)
})
