// When the feed of revocations is polled, how long requests wait for it, and what applies while it does not answer.

import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { createPinnedKeys } from '../../src/verify/keys/pinned.ts'
import { createRevocationFeed } from '../../src/verify/revocation/feed.ts'
import { createTextFetcher } from '../../src/verify/runtime/fetch-text.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { type Claims, createVerifier, type RevocationFeedOptions } from '../../src/verify/verifier.ts'
import {
  type Answer,
  body,
  cleanUp,
  createSigner,
  FEED,
  findClosedPort,
  hang,
  late,
  type Signer,
  startIssuer,
  status,
  stopClock,
  timed,
} from '../support/issuer.ts'
import { bearerOf, now, RULES, verdictOf } from '../support/mint.ts'
import type { Json } from '../support/wire.ts'

let es: Signer

beforeAll(async () => {
  es = await createSigner('ES256')
})

cleanUp()

const HOUR = 3600

/** A list that revokes tokens with the jti `jti-1` that were issued so far. */
const ended = (members: Json = {}): Promise<string> =>
  es.list([{ jti: 'jti-1', before: now() + 1, until: now() + 2 * HOUR }], members)
const empty = (): Promise<string> => es.list([])

/** An issuer and a verifier of its feed; `longLived` is a token that is valid for two hours. */
async function start(feed: Partial<RevocationFeedOptions> = {}) {
  const issuer = await startIssuer([es.jwk])
  issuer.answers.set(FEED, body(await empty()))
  const revocation = { url: issuer.feedUrl, ...feed }
  const verifier = createVerifier({ ...RULES, jwksUri: issuer.jwksUri, revocation })
  return {
    issuer,
    verifier,
    longLived: await es.token({ exp: now() + 2 * HOUR }),
    ask: (token: string): Promise<string> => verdictOf(verifier, bearerOf(token)),
    polls: () => issuer.askedFor(FEED).length,
    publish: (answer: Answer) => issuer.answers.set(FEED, answer),
  }
}

describe('polling', () => {
  test('not before the first token, once for concurrent requests, then with a request after each refresh interval', async () => {
    const clock = stopClock()
    const { ask, polls, publish, longLived } = await start()
    publish(late(100, body(await empty())))
    expect(polls()).toBe(0)
    await Promise.all(Array.from({ length: 20 }, () => ask(longLived)))
    expect(polls()).toBe(1)
    clock.advance(1.999)
    await ask(longLived)
    expect(polls()).toBe(1)
    clock.advance(0.001)
    await Promise.all(Array.from({ length: 20 }, () => ask(longLived)))
    expect(polls()).toBe(2)
    clock.advance(HOUR / 2)
    expect(polls()).toBe(2)
  })

  test('a token that fails earlier causes no poll', async () => {
    const { ask, polls } = await start()
    expect(await ask(await es.token({ exp: now() - 5 - 1, iat: now() - 60 }))).toBe('token_expired')
    expect(await ask('garbage')).toBe('invalid_token')
    expect(polls()).toBe(0)
  })

  test('at the interval of the options', async () => {
    const clock = stopClock()
    const { ask, polls, longLived } = await start({ refreshSeconds: 30 })
    for (let second = 0; second < 60; second += 1) {
      await ask(longLived)
      clock.advance(1)
    }
    expect(polls()).toBe(2)
  })

  test('a clock that was set back does not stop it', async () => {
    const clock = stopClock()
    const { ask, publish, longLived } = await start()
    expect(await ask(longLived)).toBe('allowed')
    const issuersTime = now()
    clock.advance(-4)
    publish(body(await ended({ iat: issuersTime })))
    expect(await ask(await es.token())).toBe('token_revoked')
  })
})

describe('a revocation applies', () => {
  test('under traffic, within the refresh interval and a second', async () => {
    const { ask, polls, publish, longLived } = await start()
    const begun = performance.now()
    while (performance.now() - begun < 2700) {
      expect(await ask(longLived)).toBe('allowed')
      await sleep(20)
    }
    const revokedAt = performance.now()
    publish(body(await ended()))
    while ((await ask(longLived)) === 'allowed') {
      expect(performance.now() - revokedAt).toBeLessThan(3000)
      await sleep(20)
    }
    expect(polls()).toBeLessThanOrEqual(1 + Math.floor((performance.now() - begun) / 2000))
  })

  test.each([3, 59, 61, HOUR - 60])('to the first request after %i idle seconds', async (seconds) => {
    const clock = stopClock()
    const { ask, publish, longLived } = await start()
    expect(await ask(longLived)).toBe('allowed')
    clock.advance(seconds)
    publish(body(await ended()))
    expect(await ask(longLived)).toBe('token_revoked')
  })

  test('until the list no longer has it, as for a resumed account', async () => {
    const clock = stopClock()
    const { ask, publish, longLived } = await start()
    publish(body(await ended()))
    expect(await ask(longLived)).toBe('token_revoked')
    publish(body(await empty()))
    clock.advance(2)
    expect(await ask(longLived)).toBe('allowed')
  })
})

describe('requests wait', () => {
  test('half a second from the start of the poll while the last list is not stale', async () => {
    const clock = stopClock()
    const { ask, polls, publish, longLived } = await start()
    await ask(longLived)
    publish(late(1500, body(await ended())))
    clock.advance(10)
    const first = await timed(ask(longLived))
    expect(first.value).toBe('allowed')
    expect(first.ms).toBeGreaterThan(400)
    expect(first.ms).toBeLessThan(900)
    clock.advance(0.5)
    const second = await timed(ask(longLived))
    expect(second.value).toBe('allowed')
    expect(second.ms).toBeLessThan(200)
    // A late answer is still used.
    await expect.poll(() => ask(longLived), { timeout: 3000 }).toBe('token_revoked')
    expect(polls()).toBe(2)
  })

  test('longer once the last list is stale', async () => {
    const clock = stopClock()
    const { ask, publish, longLived } = await start()
    await ask(longLived)
    publish(late(1500, body(await ended())))
    clock.advance(61)
    expect(await ask(longLived)).toBe('token_revoked')
  })

  test.concurrent.each(['accept', 'refuse'] as const)(
    'long only once for a feed that hangs: %s',
    async (onStale) => {
      const { ask, polls, publish, longLived } = await start({ onStale })
      publish(hang)
      const verdict = onStale === 'accept' ? 'allowed' : 'unavailable'
      const first = await timed(ask(longLived))
      expect(first.value).toBe(verdict)
      expect(first.ms).toBeGreaterThan(4500)
      expect(first.ms).toBeLessThan(5500)
      // The next poll is not due yet, and when it is, it delays requests only briefly.
      const second = await timed(ask(longLived))
      expect(second.value).toBe(verdict)
      expect(second.ms).toBeLessThan(200)
      expect(polls()).toBe(1)
      await sleep(2000)
      const third = await timed(ask(longLived))
      expect(third.value).toBe(verdict)
      expect(third.ms).toBeLessThan(900)
      expect(polls()).toBe(2)
    },
  )

  test('less than a second if the connection is refused', async () => {
    const url = `http://127.0.0.1:${await findClosedPort()}/`
    for (const onStale of ['accept', 'refuse'] as const) {
      const { ask, longLived } = await start({ url, onStale })
      const { value, ms } = await timed(ask(longLived))
      expect(value).toBe(onStale === 'accept' ? 'allowed' : 'unavailable')
      expect(ms).toBeLessThan(1000)
    }
  })
})

describe('a feed that fails', () => {
  test.each([
    ['with a status', status(500)],
    ['with an invalid list', body('rubbish')],
  ])('%s, is not polled again within the refresh interval', async (_, answer) => {
    const clock = stopClock()
    const { ask, polls, publish, longLived } = await start()
    publish(answer)
    await ask(longLived)
    clock.advance(1.999)
    await ask(longLived)
    expect(polls()).toBe(1)
    publish(body(await ended()))
    clock.advance(0.001)
    expect(await ask(longLived)).toBe('token_revoked')
  })

  test.each(['accept', 'refuse'] as const)('for longer than maxStaleSeconds: %s', async (onStale) => {
    const clock = stopClock()
    const { ask, publish } = await start({ onStale })
    const [revoked, other] = [await es.token(), await es.token({ jti: 'jti-2' })]
    publish(body(await ended()))
    expect([await ask(revoked), await ask(other)]).toEqual(['token_revoked', 'allowed'])
    publish(status(500))
    clock.advance(59)
    expect([await ask(revoked), await ask(other)]).toEqual(['token_revoked', 'allowed'])
    clock.advance(1)
    expect([await ask(revoked), await ask(other)]).toEqual(
      onStale === 'accept' ? ['token_revoked', 'allowed'] : ['unavailable', 'unavailable'],
    )
    publish(body(await ended()))
    clock.advance(2)
    expect([await ask(revoked), await ask(other)]).toEqual(['token_revoked', 'allowed'])
  })

  test('accepts by default, and until maxStaleSeconds with refuse', async () => {
    const clock = stopClock()
    const [careless, strict] = [await start(), await start({ onStale: 'refuse', maxStaleSeconds: 5 })]
    for (const { ask, publish, longLived } of [careless, strict]) {
      expect(await ask(longLived)).toBe('allowed')
      publish(status(500))
    }
    // `iat` of a list has whole seconds.
    clock.advance(3.9)
    expect(await strict.ask(strict.longLived)).toBe('allowed')
    clock.advance(1.1)
    expect(await strict.ask(strict.longLived)).toBe('unavailable')
    clock.advance(HOUR)
    expect(await careless.ask(careless.longLived)).toBe('allowed')
  })
})

describe('entity tags', () => {
  /** Serves a text with its tag, or 304 to a request with that tag. */
  const tagged =
    (text: string, etag: string): Answer =>
    (request, response) =>
      request.headers['if-none-match'] === etag
        ? response.writeHead(304, { etag }).end()
        : response.writeHead(200, { etag }).end(text)

  test('an unchanged list is not sent again, and becomes stale like one that was not polled', async () => {
    const clock = stopClock()
    const { issuer, ask, publish, longLived } = await start({ onStale: 'refuse' })
    publish(tagged(await empty(), '"1"'))
    const verdicts = []
    for (let round = 0; round < 6; round += 1) {
      verdicts.push(await ask(longLived))
      clock.advance(13)
    }
    expect(verdicts).toEqual([...Array.from({ length: 5 }, () => 'allowed'), 'unavailable'])
    publish(tagged(await ended(), 'W/"2"'))
    expect(await ask(longLived)).toBe('token_revoked')
    clock.advance(50)
    expect(await ask(longLived)).toBe('token_revoked')
    expect(issuer.askedFor(FEED).map((headers) => headers['if-none-match'])).toEqual([
      undefined,
      ...Array.from({ length: 4 }, () => '"1"'),
      // The list is stale, or nearly stale, so the request has no tag.
      undefined,
      undefined,
      'W/"2"',
    ])
  })

  test('an expired list is fetched without its tag, and a 304 does not renew it', async () => {
    const clock = stopClock()
    const { issuer, ask, publish, longLived } = await start({ onStale: 'refuse', maxStaleSeconds: 40 })
    publish(tagged(await es.list([], { exp: now() + 30 }), '"1"'))
    expect(await ask(longLived)).toBe('allowed')
    clock.advance(25)
    expect(await ask(longLived)).toBe('allowed')
    clock.advance(10)
    expect(await ask(longLived)).toBe('unavailable')
    expect(issuer.askedFor(FEED).map((headers) => headers['if-none-match'])).toEqual([
      undefined,
      '"1"',
      undefined,
    ])
    publish(status(304))
    clock.advance(10)
    expect(await ask(longLived)).toBe('unavailable')
    publish(tagged(await ended(), '"1"'))
    clock.advance(2)
    expect(await ask(longLived)).toBe('token_revoked')
  })

  test('a 304 to a request without a tag renews nothing', async () => {
    const clock = stopClock()
    const { ask, publish, longLived } = await start({ onStale: 'refuse', maxStaleSeconds: 20 })
    expect(await ask(longLived)).toBe('allowed')
    publish(status(304))
    clock.advance(15)
    expect(await ask(longLived)).toBe('allowed')
    clock.advance(5)
    expect(await ask(longLived)).toBe('unavailable')
  })

  test('the tag of an invalid list is not used', async () => {
    const clock = stopClock()
    const { issuer, ask, publish, longLived } = await start()
    publish(tagged('rubbish', '"rubbish"'))
    await ask(longLived)
    clock.advance(2)
    await ask(longLived)
    expect(issuer.askedFor(FEED).map((headers) => headers['if-none-match'])).toEqual([undefined, undefined])
  })
})

describe('on Workers, where requests share no promise', () => {
  const claims = { jti: 'jti-1', client_id: 'client-1', sub: 'acct_1', iat: 0, exp: 9e9 } as Claims

  async function startCheck(answer: Answer) {
    const issuer = await startIssuer([])
    issuer.answers.set(FEED, answer)
    const check = createRevocationFeed(
      {
        url: issuer.feedUrl,
        refreshSeconds: 2,
        maxStaleSeconds: 60,
        onStale: 'accept',
        longestWaitMs: 5000,
        isDefault: false,
      },
      {
        issuer: RULES.issuer,
        clockTolerance: 5,
        keys: createPinnedKeys([es.jwk], loadVerifier),
        fetcher: createTextFetcher(fetch),
        now: Date.now,
        sharesWork: false,
      },
    )
    return { issuer, check: () => check(claims, es.kid) }
  }

  test('concurrent requests cause one poll, and each gets its own result', async () => {
    const { issuer, check } = await startCheck(late(100, body(await ended())))
    expect(await Promise.all([check(), check(), check()])).toEqual([true, true, true])
    expect(issuer.askedFor(FEED)).toHaveLength(1)
    expect(check()).toBe(true)
  })

  test('a poll ends before its request stops waiting', async () => {
    const clock = stopClock()
    const { issuer, check } = await startCheck(body(await empty()))
    expect(await check()).toBe(false)
    issuer.answers.set(FEED, late(1000, body(await ended())))
    clock.advance(10)
    const { ms } = await timed(Promise.resolve(check()))
    expect(ms).toBeLessThan(900)
    await sleep(1000)
    expect(check()).toBe(false)
    expect(issuer.askedFor(FEED)).toHaveLength(2)
    // Once the last list is stale, requests wait long enough for such an issuer.
    clock.advance(61)
    expect(await check()).toBe(true)
  })
})

test('a closed verifier cancels its poll', async () => {
  const { ask, polls, publish, verifier, longLived } = await start()
  publish(hang)
  const waiting = timed(ask(longLived))
  await expect.poll(polls).toBe(1)
  verifier.close()
  expect((await waiting).ms).toBeLessThan(1000)
  expect(await ask(longLived)).toBe('unavailable')
  expect(polls()).toBe(1)
})
