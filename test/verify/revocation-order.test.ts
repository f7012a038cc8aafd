// Which of two lists of revocations is used. A replayed list, or one that is signed with a stolen key, must not make revoked
// tokens valid again.

import { beforeAll, describe, expect, test } from 'vitest'
import { createVerifier, type RevocationFeedOptions } from '../../src/verify/verifier.ts'
import { body, cleanUp, createSigner, FEED, type Signer, startIssuer, stopClock } from '../support/issuer.ts'
import { bearerOf, now, RULES, verdictOf } from '../support/mint.ts'
import type { Json } from '../support/wire.ts'

let es: Signer
let ed: Signer

beforeAll(async () => {
  es = await createSigner('ES256')
  ed = await createSigner('EdDSA')
})

cleanUp()

const HOUR = 3600
const entry = (members: Json): Json => ({ before: now() + 1, until: now() + 2 * HOUR, ...members })

/** A verifier whose feed gives the last published list; the clock stands still. */
async function start(feed: Partial<RevocationFeedOptions> = {}) {
  const clock = stopClock()
  const issuer = await startIssuer([es.jwk, ed.jwk])
  const revocation = { url: issuer.feedUrl, ...feed }
  const verifier = createVerifier({ ...RULES, jwksUri: issuer.jwksUri, revocation })
  const [token, other] = [
    await es.token({ exp: now() + HOUR }),
    await es.token({ jti: 'jti-2', exp: now() + HOUR }),
  ]
  return {
    clock,
    /** The results for the tokens `jti-1` and `jti-2` after the verifier has polled this list. */
    async publish(list: string): Promise<readonly string[]> {
      issuer.answers.set(FEED, body(list))
      clock.advance(3)
      const verdicts = []
      for (const text of [token, other]) verdicts.push(await verdictOf(verifier, bearerOf(text)))
      return verdicts
    },
  }
}

const BOTH_ALLOWED = ['allowed', 'allowed']
const FIRST_REVOKED = ['token_revoked', 'allowed']

describe('the last list stays in use when the next one', () => {
  const first = (members: Json): Promise<string> =>
    es.list([entry({ jti: 'jti-1' })], { seq: 41, ...members })

  test.each<[string, (iat: number) => Promise<string>]>([
    ['has a lower number', (iat) => es.list([], { seq: 40, iat: iat + 3 })],
    ['has a negative number', (iat) => es.list([], { seq: -42, iat: iat + 3 })],
    ['has an earlier iat, although its number is higher', (iat) => es.list([], { seq: 42, iat: iat - 1 })],
    ['has the same number and no entry', (iat) => es.list([], { seq: 41, iat: iat + 3 })],
    [
      'has the same number and another entry',
      (iat) => es.list([entry({ jti: 'jti-1' }), entry({ jti: 'jti-2' })], { seq: 41, iat: iat + 3 }),
    ],
    [
      'has the same number and an entry with another time',
      (iat) => es.list([entry({ jti: 'jti-1', before: 1 })], { seq: 41, iat: iat + 3 }),
    ],
    [
      'has the same number and an entry for an account instead of a token',
      (iat) => es.list([entry({ sub: 'jti-1' })], { seq: 41, iat: iat + 3 }),
    ],
  ])('%s', async (_, next) => {
    const { publish } = await start()
    const iat = now()
    expect(await publish(await first({ iat }))).toEqual(FIRST_REVOKED)
    expect(await publish(await next(iat))).toEqual(FIRST_REVOKED)
    // A list that follows is accepted.
    expect(await publish(await es.list([], { seq: 42, iat }))).toEqual(BOTH_ALLOWED)
  })

  test('is signed with a key that the last one revoked', async () => {
    const { publish } = await start()
    const revoked = [entry({ jti: 'jti-1' }), entry({ kid: es.kid, before: now() - 60 })]
    expect(await publish(await es.list(revoked))).toEqual(FIRST_REVOKED)
    expect(await publish(await es.list([]))).toEqual(FIRST_REVOKED)
    expect(await publish(await ed.list([]))).toEqual(BOTH_ALLOWED)
  })
})

test('a list with the same number and entries is accepted, also without entries that have expired', async () => {
  const { publish } = await start({ onStale: 'refuse', maxStaleSeconds: 8 })
  const [one, two] = [entry({ jti: 'jti-1' }), entry({ client_id: 'client-3' })]
  const ended = entry({ jti: 'jti-2', until: now() + 4 })
  const list = (revoked: Json): Promise<string> => es.list(revoked, { seq: 7 })
  expect(await publish(await list([one, ended, two]))).toEqual(['token_revoked', 'token_revoked'])
  // An entry that ends within the clock tolerance may be missing, because it has expired by the issuer's clock.
  expect(await publish(await list([two, one]))).toEqual(FIRST_REVOKED)
  expect(await publish(await list([one, two, one]))).toEqual(FIRST_REVOKED)
  expect(await publish(await list([one]))).toEqual(FIRST_REVOKED)
  expect(await publish(await list([one]))).toEqual(['unavailable', 'unavailable'])
})

describe('the age of a list counts from its iat', () => {
  test.each<[string, number, string]>([
    ['not stale yet', 57, 'token_revoked'],
    ['stale', 58, 'unavailable'],
  ])('%s: %i seconds', async (_, age, verdict) => {
    const { publish } = await start({ onStale: 'refuse' })
    // The verifier polls the list three seconds later.
    const [first] = await publish(await es.list([entry({ jti: 'jti-1' })], { iat: now() + 1 - age }))
    expect(first).toBe(verdict)
  })

  test('a list that is signed again with the same iat does not become younger', async () => {
    const { publish } = await start({ onStale: 'refuse', maxStaleSeconds: 8 })
    const iat = now()
    const again = (): Promise<string> => es.list([], { iat })
    expect(await publish(await again())).toEqual(BOTH_ALLOWED)
    expect(await publish(await again())).toEqual(BOTH_ALLOWED)
    expect(await publish(await again())).toEqual(['unavailable', 'unavailable'])
    expect(await publish(await es.list([], { iat: now() }))).toEqual(BOTH_ALLOWED)
  })

  test('an unchanged list without an entity tag does not become younger', async () => {
    const { publish } = await start({ onStale: 'refuse', maxStaleSeconds: 8 })
    const list = await es.list([entry({ jti: 'jti-1' })], { iat: now() })
    expect(await publish(list)).toEqual(FIRST_REVOKED)
    expect(await publish(list)).toEqual(FIRST_REVOKED)
    expect(await publish(list)).toEqual(['unavailable', 'unavailable'])
  })

  test('an iat in the future is accepted within the clock tolerance', async () => {
    const { publish } = await start({ onStale: 'refuse' })
    expect(await publish(await es.list([], { iat: now() + 3 + 6 }))).toEqual(['unavailable', 'unavailable'])
    expect(await publish(await es.list([], { iat: now() + 3 + 5 }))).toEqual(BOTH_ALLOWED)
  })

  test('a list is stale after its exp, even if it is young enough', async () => {
    const { publish, clock } = await start({ onStale: 'refuse' })
    expect(await publish(await es.list([], { exp: now() + 10 }))).toEqual(BOTH_ALLOWED)
    clock.advance(5)
    expect(await publish('rubbish')).toEqual(['unavailable', 'unavailable'])
  })
})
