// The signed list of revocations: what is in it, when it is signed again, and how remote verifiers use it while keys
// are rotated, replicas differ and the store is down.

import fc from 'fast-check'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RevocationRule } from '../../src/claims/records/revocation.ts'
import type { DocumentDeps } from '../../src/service/revocation/document.ts'
import { readRevocations } from '../../src/verify/revocation/list.ts'
import { createVerifier } from '../../src/verify/verifier.ts'
import { body, cleanUp, FEED, type Issuer, JWKS, startIssuer } from '../support/issuer.ts'
import { bearerOf, RULES, verdictOf } from '../support/mint.ts'
import { claimsWith, createRuleStore, HOUR, ruleWith } from '../support/service-parts.ts'
import { createKeys, createReplica, type Keys, type Replica } from './replica.ts'

/** The time at which a period for one document begins, epoch milliseconds. */
const START = Date.UTC(2030, 0, 1, 12)

cleanUp()
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: START })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Moves the wall clock and the monotonic clock forward by `ms`. */
const pass = (ms: number): unknown => vi.advanceTimersByTime(ms)

/** ETag and status of the answer to a request with this `etag`. */
async function poll(replica: Replica, etag?: string): Promise<{ status: number; etag: string }> {
  const answer = await replica.ask(etag === undefined ? {} : { 'if-none-match': etag })
  return { status: answer.status, etag: answer.headers.get('etag') ?? expect.unreachable('it has a tag') }
}

describe('the document', () => {
  test.each(['ES256', 'EdDSA', 'HS256'] as const)('is a JWT that jose verifies: %s', async (alg) => {
    const { ring, current } = await createKeys(alg)
    const store = createRuleStore([
      ruleWith({ before: START + 1, until: START + HOUR + 1 }),
      ruleWith({ kind: 'client_id', value: 'client1', before: START, until: START + HOUR }),
      ruleWith({ kind: 'sub', value: 'acct_1', before: 1, until: START + HOUR }),
      ruleWith({ kind: 'kid', value: 'key-1', before: 0, until: START + HOUR }),
    ])
    pass(12_345)
    const text = await createReplica(ring, store).read()
    const key = alg === 'HS256' ? current() : createLocalJWKSet(JSON.parse(ring.publicKeySet.body))
    const { payload, protectedHeader } = await jwtVerify(text, key as never, {
      issuer: RULES.issuer,
      typ: 'revocations+jwt',
      algorithms: [alg],
      currentDate: new Date(),
    })
    const [start, end] = [START / 1000, (START + HOUR) / 1000]
    expect(protectedHeader).toEqual({ alg, kid: ring.kid, typ: 'revocations+jwt' })
    expect(payload).toEqual({
      iss: RULES.issuer,
      iat: start + 12,
      exp: start + 312,
      seq: 1,
      revoked: [
        { jti: 'jti-1', before: start + 1, until: end + 1 },
        { client_id: 'client1', before: start, until: end },
        { sub: 'acct_1', before: 1, until: end },
        { kid: 'key-1', before: 0, until: end },
      ],
    })
  })

  test('is public, cached for two seconds, and not accepted as a token', async () => {
    const { ring, source } = await createKeys()
    const { headers, status } = await createReplica(ring).ask({ origin: 'https://any.example' })
    expect(status).toBe(200)
    expect(Object.fromEntries(headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'cache-control': 'public, max-age=2',
      'content-type': 'application/jwt',
      etag: expect.stringMatching(/^"[\w-]{32}"$/),
    })
    const text = await createReplica(ring).read()
    const verifier = createVerifier({ ...RULES, jwks: JSON.parse(ring.publicKeySet.body) })
    expect(await verdictOf(verifier, bearerOf(text))).toBe('invalid_token')
    expect(await readRevocations(text, RULES.issuer, source)).toBeDefined()
  })

  test('gives the same result for every token as the service itself', async () => {
    const { ring, source } = await createKeys()
    const id = fc.constantFrom('jti-1', 'client1', 'acct_1', 'key-1', 'other')
    const time = fc.integer({ min: START - 5000, max: START + 5000 })
    const rule: fc.Arbitrary<RevocationRule> = fc.record({
      kind: fc.constantFrom('jti', 'client_id', 'sub', 'kid'),
      value: id,
      account: fc.constant(null),
      before: time,
      until: time,
    })
    const token = fc.record({
      jti: id,
      client_id: id,
      sub: id,
      iat: fc.integer({ min: -5, max: 5 }).map((seconds) => START / 1000 + seconds),
      exp: fc.integer({ min: 6, max: 9 }).map((seconds) => START / 1000 + seconds),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(rule, { maxLength: 8 }), fc.array(token), id, async (rules, tokens, kid) => {
        const replica = createReplica(ring, createRuleStore(rules))
        const list = await readRevocations(await replica.read(), RULES.issuer, source)
        if (list === undefined) return expect.unreachable('the list is good')
        for (const members of tokens) {
          const claims = claimsWith(members)
          expect(list.rules.isListed(claims, kid, Date.now() / 1000)).toBe(
            await replica.isListed(claims, kid),
          )
        }
      }),
      { numRuns: 100 },
    )
  })
})

describe('a poll', () => {
  test.each<[string, (etag: string) => string, number]>([
    ['its tag', (etag) => etag, 304],
    ['its tag marked weak', (etag) => `W/${etag}`, 304],
    ['a list with its tag', (etag) => `"x", W/"y" , ${etag}`, 304],
    ['anything', () => '*', 304],
    ['another tag', () => '"x"', 200],
    ['its tag without quotes', (etag) => etag.slice(1, -1), 200],
    ['nothing', () => '', 200],
  ])(
    'with %s in If-None-Match gets a 200 with the list or a 304 without a body',
    async (_, header, status) => {
      const { ring } = await createKeys()
      const replica = createReplica(ring)
      const { etag } = await poll(replica)
      const answer = await replica.ask({ 'if-none-match': header(etag) })
      expect([answer.status, answer.headers.get('etag')]).toEqual([status, etag])
      expect(answer.headers.get('cache-control')).toBe('public, max-age=2')
      expect((await answer.text()) === '').toBe(status === 304)
      expect(answer.headers.has('content-type')).toBe(status === 200)
    },
  )

  test('causes a new signature only after half a minute', async () => {
    const { ring, signed } = await createKeys()
    const replica = createReplica(ring, createRuleStore([ruleWith()]))
    let { etag } = await poll(replica)
    for (let period = 1; period <= 3; period += 1) {
      for (let asked = 0; asked < 29; asked += 1) {
        pass(1000)
        expect(await poll(replica, etag)).toEqual({ status: 304, etag })
      }
      expect(signed()).toBe(period)
      pass(1000)
      const next = await poll(replica, etag)
      expect(next.status).toBe(200)
      etag = next.etag
    }
  })

  test.each([
    [500, 1],
    [501, 5],
  ])(
    'without a tag, while there are %i rules, gets a list that is less than %i s old',
    async (count, seconds) => {
      const { ring, signed } = await createKeys()
      const rules = Array.from({ length: count }, (_, at) => ruleWith({ value: `jti-${at}` }))
      const replica = createReplica(ring, createRuleStore(rules))
      for (let asked = 0; asked < 20; asked += 1) {
        const { iat = 0 } = decodeJwt(await replica.read())
        expect(Math.floor(Date.now() / 1000) - iat).toBeLessThan(seconds)
        pass(1000)
      }
      expect(signed()).toBe(20 / seconds)
    },
  )

  test('never gets a lower iat, also when the list has become long', async () => {
    const { ring } = await createKeys()
    const replica = createReplica(ring, createRuleStore([ruleWith()]))
    pass(4000)
    const { iat: short = 0 } = decodeJwt(await replica.read())
    replica.store(Array.from({ length: 501 }, (_, at) => ruleWith({ value: `jti-${at}` })))
    await replica.refresh()
    const { iat: long = 0, revoked } = decodeJwt(await replica.read())
    expect(revoked).toHaveLength(501)
    expect(long).toBeGreaterThanOrEqual(short)
  })

  test('sees a change within a second, and immediately on the replica that made it', async () => {
    const { ring } = await createKeys()
    const replica = createReplica(ring)
    const { etag } = await poll(replica)
    replica.store([ruleWith()])
    pass(999)
    expect((await poll(replica, etag)).status).toBe(304)
    pass(1)
    expect(decodeJwt(await replica.read()).revoked).toMatchObject([{ jti: 'jti-1' }])
    replica.store([])
    await replica.refresh()
    expect(decodeJwt(await replica.read()).revoked).toEqual([])
  })

  test('sees a change however slow the store is, as long as it answers', async () => {
    vi.useRealTimers()
    const { ring } = await createKeys()
    const replica = createReplica(ring)
    await replica.read()
    replica.store([ruleWith()])
    replica.answer({ afterMs: 900 })
    await new Promise((resolve) => setTimeout(resolve, 1050))
    expect(decodeJwt(await replica.read()).revoked).toMatchObject([{ jti: 'jti-1' }])
  })
})

describe('while keys are rotated', () => {
  test('the list is signed by the current key', async () => {
    const keys = await createKeys()
    const replica = createReplica(keys.ring)
    const kids = new Set<unknown>()
    for (let rotation = 0; rotation < 4; rotation += 1) {
      const text = await replica.read()
      expect(decodeProtectedHeader(text).kid).toBe(keys.ring.kid)
      kids.add(keys.ring.kid)
      expect(await readRevocations(text, RULES.issuer, keys.source)).toBeDefined()
      await keys.rotate()
    }
    expect(kids.size).toBe(4)
    // The last list is not served again after its key was ended.
    const { kid = '' } = keys.ring
    const { etag } = await poll(replica)
    await keys.end(kid)
    expect((await poll(replica, etag)).status).toBe(200)
    expect(decodeProtectedHeader(await replica.read()).kid).not.toBe(kid)
  })

  test('kid is that of the signing key, also when keys are rotated while the list is signed', async () => {
    const keys = await createKeys()
    const slow: DocumentDeps['keyRing'] = {
      get revocationSigner() {
        const { kid, revocationsHeader, signRevocations } = keys.ring.revocationSigner
        return {
          kid,
          revocationsHeader,
          async signRevocations(input: Uint8Array<ArrayBuffer>) {
            await keys.rotate()
            return signRevocations(input)
          },
        }
      },
    }
    const replica = createReplica(slow)
    const seen = new Set<unknown>()
    for (let asked = 0; asked < 3; asked += 1) {
      const text = await replica.read()
      expect(await readRevocations(text, RULES.issuer, keys.source)).toBeDefined()
      seen.add(decodeProtectedHeader(text).kid)
    }
    expect(seen.size).toBe(3)
  })
})

/** A verifier whose polls go to these replicas, and its result for a valid token. */
async function watch(keys: Keys, replicas: readonly Replica[], maxStaleSeconds = 40) {
  const issuer: Issuer = await startIssuer([])
  let turn = 0
  let fresh = 0
  issuer.answers.set(JWKS, body(keys.ring.publicKeySet.body))
  issuer.answers.set(FEED, async (request, response) => {
    const replica = replicas[turn % replicas.length]
    turn += 1
    const tag = request.headers['if-none-match']
    const answer = await replica?.ask(tag === undefined ? {} : { 'if-none-match': tag })
    if (answer?.status === 200) fresh += 1
    response.writeHead(answer?.status ?? 500, Object.fromEntries(answer?.headers ?? []))
    response.end(await answer?.text())
  })
  const verifier = createVerifier({
    ...RULES,
    jwksUri: issuer.jwksUri,
    require: [],
    revocation: { url: issuer.feedUrl, maxStaleSeconds, onStale: 'refuse' },
  })
  const ask = async (members: Parameters<typeof claimsWith>[0] = {}): Promise<string> => {
    const claims = claimsWith({ ...RULES, iss: RULES.issuer, aud: RULES.audience, ...members })
    const token = await keys.ring.sign(JSON.stringify(claims))
    return verdictOf(verifier, bearerOf(token))
  }
  return { ask, fresh: () => fresh }
}

describe('a remote verifier', () => {
  test('with a short maxStaleSeconds always has a list that is young enough', async () => {
    const keys = await createKeys()
    const { ask } = await watch(keys, [createReplica(keys.ring)], 4)
    for (let round = 0; round < 60; round += 1) {
      expect(await ask(), `second ${round}`).toBe('allowed')
      pass(1000)
    }
  })

  test('refuses a revoked token after its next poll, and downloads no list twice', async () => {
    const keys = await createKeys()
    const replica = createReplica(keys.ring)
    const { ask, fresh } = await watch(keys, [replica])
    for (let round = 0; round < 10; round += 1) {
      expect(await ask()).toBe('allowed')
      pass(2000)
    }
    expect(fresh()).toBe(1)
    replica.store([ruleWith({ before: Date.now() + 1000 })])
    expect(await ask()).toBe('token_revoked')
    expect(await ask({ jti: 'jti-2' })).toBe('allowed')
  })

  test('accepts lists of several replicas that sign at different times', async () => {
    const keys = await createKeys()
    const store = createRuleStore()
    const replicas = [createReplica(keys.ring, store), createReplica(keys.ring, store)]
    const [first, second] = replicas
    await first?.read()
    pass(25_000)
    await second?.read()
    const { ask } = await watch(keys, replicas)
    for (let round = 0; round < 40; round += 1) {
      expect(await ask()).toBe('allowed')
      pass(2000)
    }
    store.store([ruleWith({ before: Date.now() + 60_000 })])
    const iat = Date.now() / 1000
    for (let round = 0; round < 5; round += 1) {
      expect(await ask({ iat })).toBe('token_revoked')
      pass(2000)
    }
  })

  test('refuses the older list of a replica that cannot read the store', async () => {
    const keys = await createKeys()
    const [good, cutOff] = [createReplica(keys.ring), createReplica(keys.ring)]
    await cutOff.read()
    cutOff.answer('with a fault')
    pass(60_000)
    good.store([ruleWith({ before: Date.now() + HOUR })])
    const iat = Date.now() / 1000
    const { ask } = await watch(keys, [good, cutOff], 60)
    for (let round = 0; round < 10; round += 1) {
      expect(await ask({ iat })).toBe('token_revoked')
      pass(2000)
    }
  })
})

describe('while the store is down', () => {
  test('the list is served from memory for a day, without expired entries', async () => {
    const keys = await createKeys()
    const replica = createReplica(
      keys.ring,
      createRuleStore([
        ruleWith({ until: START + HOUR }),
        ruleWith({ value: 'jti-2', until: START + 90 * HOUR }),
      ]),
    )
    const { ask } = await watch(keys, [replica])
    expect(await ask({ jti: 'jti-2' })).toBe('token_revoked')
    replica.answer('with a fault')
    for (const hour of [0.001, 0.01, 1, 2, 23.9]) {
      vi.advanceTimersByTime(START + hour * HOUR - Date.now())
      const iat = START / 1000
      const exp = Math.ceil(Date.now() / 1000) + 60
      // A verifier counts the age of the list from `iat`.
      const isOld = hour >= 1
      expect(await ask({ jti: 'jti-2', iat, exp }), `hour ${hour}`).toBe(
        isOld ? 'unavailable' : 'token_revoked',
      )
      expect(await ask({ jti: 'jti-3' }), `hour ${hour}`).toBe(isOld ? 'unavailable' : 'allowed')
      const { iat: issuedAt, exp: expiresAt = 0, revoked } = decodeJwt(await replica.read())
      // `iat` is the time of the rules, `exp` five minutes from now.
      expect(issuedAt).toBe(START / 1000 + 3)
      expect(expiresAt - Date.now() / 1000).toBeGreaterThan(298)
      expect(expiresAt - Date.now() / 1000).toBeLessThanOrEqual(300)
      expect(revoked).toHaveLength(hour < 1 ? 2 : 1)
    }
    pass(0.1 * HOUR)
    const refused = await replica.ask({ 'if-none-match': '*' })
    expect(refused.status).toBe(503)
    expect(await refused.json()).toMatchObject({ error: 'unavailable' })
    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(refused.headers.get('access-control-allow-origin')).toBe('*')
    replica.answer('immediately')
    pass(1000)
    expect(decodeJwt(await replica.read()).iat).toBe(Math.floor(Date.now() / 1000))
  })

  test('the answer is 503 if rules were never read, never an empty list', async () => {
    const { ring } = await createKeys()
    const replica = createReplica(ring)
    replica.answer('with a fault')
    expect((await replica.ask()).status).toBe(503)
    replica.answer('immediately')
    pass(1000)
    expect((await replica.ask()).status).toBe(200)
  })

  test('setting the clock back does not serve a list with a later date', async () => {
    const { ring } = await createKeys()
    const replica = createReplica(ring)
    await replica.read()
    vi.setSystemTime(START - HOUR)
    await replica.refresh()
    expect(decodeJwt(await replica.read()).iat).toBe((START - HOUR) / 1000)
  })
})
