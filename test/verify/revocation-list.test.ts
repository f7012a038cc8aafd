// The issuer's signed list of revocations: which tokens its entries end, and that a list with any fault counts as stale,
// never as empty.

import { createPrivateKey, sign } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  createVerifier,
  type RevocationFeedOptions,
  type VerifierOptions,
  type VerifierRules,
} from '../../src/verify/verifier.ts'
import {
  type Answer,
  body,
  breakOff,
  cleanUp,
  createSigner,
  FEED,
  hang,
  type Issuer,
  JWKS,
  json,
  type Signer,
  startIssuer,
  status,
  stopClock,
  timed,
} from '../support/issuer.ts'
import { bearerOf, now, RULES, verdictOf } from '../support/mint.ts'
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

type Ask = (token: string) => Promise<string>

function createAsking(
  issuer: Issuer,
  feed: Partial<RevocationFeedOptions> = {},
  rules: Partial<VerifierRules> = {},
): Ask {
  const revocation = { url: issuer.feedUrl, ...feed }
  const verifier = createVerifier({ ...RULES, jwksUri: issuer.jwksUri, revocation, ...rules })
  return (token) => verdictOf(verifier, bearerOf(token))
}

/** An issuer with this list, and a verifier of its tokens. */
async function start(revoked: Json = []): Promise<{ readonly issuer: Issuer; readonly ask: Ask }> {
  const issuer = await startIssuer([es.jwk, ed.jwk])
  issuer.answers.set(FEED, body(await es.list(revoked)))
  return { issuer, ask: createAsking(issuer) }
}

const HOUR = 3600
/** An entry that can match every token issued so far. */
const entry = (members: Json): Json => ({ before: now() + 1, until: now() + HOUR, ...members })

describe('an entry ends', () => {
  test.each<[string, (iat: number) => Json]>([
    ['the token with that jti', () => entry({ jti: 'jti-1' })],
    ['the tokens of that credential', () => entry({ client_id: 'client-1' })],
    ['the tokens of that account', () => entry({ sub: 'acct_1' })],
    ['the tokens that the key signed', () => entry({ kid: es.kid })],
    ['tokens issued before its time', (iat) => entry({ jti: 'jti-1', before: iat + 1 })],
    [
      'tokens issued earlier within the second of its time',
      (iat) => entry({ jti: 'jti-1', before: iat + 0.5 }),
    ],
    ['the token of that account and jti', () => entry({ jti: 'jti-1', sub: 'acct_1' })],
  ])('%s', async (_, made) => {
    const iat = now() - 10
    const { ask } = await start([entry({ jti: 'another' }), made(iat), entry({ sub: 'acct_2' })])
    expect(await ask(await es.token({ iat }))).toBe('token_revoked')
    // Tokens that it does not name pass.
    const other = { iat, jti: 'jti-2', client_id: 'client-2', sub: 'acct_3' }
    expect(await ask(await ed.token(other))).toBe('allowed')
  })

  test.each<[string, (iat: number) => Json]>([
    ['tokens issued at its time', (iat) => entry({ jti: 'jti-1', before: iat })],
    ['tokens issued after its time', (iat) => entry({ sub: 'acct_1', before: iat - 1 })],
    ['anything once it has expired', () => entry({ jti: 'jti-1', until: now() - 1 })],
    ['another jti', () => entry({ jti: 'jti-11' })],
    ['tokens of an account whose id it names as jti', () => entry({ jti: 'acct_1' })],
    ['a token whose jti it names as account', () => entry({ sub: 'jti-1' })],
    ['a credential whose id differs in case', () => entry({ client_id: 'CLIENT-1' })],
    ['tokens that another key signed', () => entry({ kid: ed.kid })],
    ['that jti of another account', () => entry({ sub: 'acct_2', jti: 'jti-1' })],
    ['another jti of that account', () => entry({ sub: 'acct_1', jti: 'jti-2' })],
    [
      'an account and jti that give the same text only when joined',
      () => entry({ sub: 'acct_1j', jti: 'ti-1' }),
    ],
    ['a user whom the token does not name', () => entry({ sub: 'acct_1', user: 'ada' })],
  ])('not %s', async (_, made) => {
    const iat = now() - 10
    const { ask } = await start([made(iat)])
    expect(await ask(await es.token({ iat }))).toBe('allowed')
  })

  test('a token by any of several entries with the same name', async () => {
    const { ask } = await start([
      entry({ sub: 'acct_1', before: 5 }),
      entry({ sub: 'acct_1' }),
      entry({ sub: 'acct_1', until: 5 }),
    ])
    expect(await ask(await es.token())).toBe('token_revoked')
  })

  test('a token until the end of the clock tolerance, also if the entry expires together with the token', async () => {
    const clock = stopClock()
    const exp = now() + 60
    const { ask } = await start([entry({ jti: 'jti-1', until: exp })])
    const token = await es.token({ exp })
    clock.advance(62)
    expect(await ask(await es.token({ jti: 'jti-2', exp }))).toBe('allowed')
    expect(await ask(token)).toBe('token_revoked')
  })

  test('a token in the cache of verified tokens', async () => {
    const clock = stopClock()
    const { issuer, ask } = await start()
    const token = await es.token()
    expect(await ask(token)).toBe('allowed')
    expect(await ask(token)).toBe('allowed')
    issuer.answers.set(FEED, body(await es.list([entry({ kid: es.kid })])))
    clock.advance(2)
    expect(await ask(token)).toBe('token_revoked')
  })

  test('the tokens of one user of one account', async () => {
    const { ask } = await start([entry({ sub: 'acct_1', user: 'ada' })])
    const tokens: readonly (readonly [Json, string])[] = [
      [{ user: 'ada' }, 'token_revoked'],
      [{ user: 'ada', jti: 'jti-2', client_id: 'client-2' }, 'token_revoked'],
      [{ user: 'Ada' }, 'allowed'],
      [{ user: 'ada', sub: 'acct_2' }, 'allowed'],
      [{}, 'allowed'],
    ]
    for (const [claims, verdict] of tokens) expect(await ask(await es.token(claims))).toBe(verdict)
  })

  test('one of 100 000 tokens, without blocking the event loop', async () => {
    const { issuer } = await start()
    const revoked = Array.from({ length: 100_000 }, (_, index) => entry({ jti: `jti-of-a-token-${index}` }))
    issuer.answers.set(FEED, body(await es.list(revoked, { ü: 'ä "quoted" \\ text: [1, {' })))
    const ask = createAsking(issuer)
    const [first, last] = [
      await es.token({ jti: 'jti-of-a-token-0' }),
      await es.token({ jti: 'jti-of-a-token-99999' }),
    ]
    let turns = 0
    const timer = setInterval(() => {
      turns += 1
    }, 1)
    expect(await ask(last)).toBe('token_revoked')
    clearInterval(timer)
    // If the list were read in one piece, there would be no turn of the event loop between the last byte and the result.
    expect(turns).toBeGreaterThan(100)
    expect(await ask(first)).toBe('token_revoked')
    expect(await ask(await es.token({ jti: 'jti-of-a-token-100000' }))).toBe('allowed')
  })

  test.each([
    ['before', (list: readonly Json[], odd: Json) => [odd, ...list]],
    ['after', (list: readonly Json[], odd: Json) => [...list, odd]],
    ['among', (list: readonly Json[], odd: Json) => list.toSpliced(1500, 0, odd)],
  ])('nothing if one invalid entry is %s thousands of others', async (_, put) => {
    const { issuer } = await start()
    const many = Array.from({ length: 3000 }, (_, index) => entry({ jti: `jti-${index}` }))
    issuer.answers.set(FEED, body(await es.list(put(many, entry({ jti: 'jti-9', reason: 'unknown' })))))
    const ask = createAsking(issuer, { onStale: 'refuse' })
    expect(await ask(await es.token())).toBe('unavailable')
  })
})

describe('a list is accepted', () => {
  test('with any key of the verifier, and with the long form of its type', async () => {
    const { issuer } = await start()
    for (const signer of [es, ed]) {
      for (const typ of ['revocations+jwt', 'application/revocations+jwt', 'Revocations+JWT']) {
        issuer.answers.set(FEED, body(await signer.list([entry({ jti: 'jti-1' })], {}, { typ })))
        expect(await createAsking(issuer)(await es.token())).toBe('token_revoked')
      }
    }
  })

  test('with pinned keys and with a secret', async () => {
    const { issuer } = await start()
    const verifiers = [
      [es, { jwks: { keys: [es.jwk] } }],
      [hs, { jwks: { keys: [hs.jwk] } }],
      [hs, { secret: hs.jwk }],
      [hs, { secret: new Uint8Array(Buffer.from(hs.jwk.k ?? '', 'base64url')) }],
    ] as const
    for (const [signer, keys] of verifiers) {
      issuer.answers.set(FEED, body(await signer.list([entry({ jti: 'jti-1' })])))
      const verifier = createVerifier({ ...RULES, ...keys, revocation: { url: issuer.feedUrl } })
      expect(await verdictOf(verifier, bearerOf(await signer.token()))).toBe('token_revoked')
      expect(await verdictOf(verifier, bearerOf(await signer.token({ jti: 'jti-2' })))).toBe('allowed')
    }
  })

  test('with a secret that has no key id: entries by key id do not apply, others do', async () => {
    const { issuer } = await start()
    const bytes = Buffer.from(hs.jwk.k ?? '', 'base64url')
    const text = 'a secret of the API that is shared, and text'
    const shared = await createSigner('HS256', 'text', new TextEncoder().encode(text))
    const verifiers: readonly (readonly [Signer, object, string])[] = [
      [hs, { secret: hs.jwk }, 'token_revoked'],
      [hs, { jwks: { keys: [hs.jwk] } }, 'token_revoked'],
      [hs, { secret: new Uint8Array(bytes) }, 'allowed'],
      [shared, { secret: text }, 'allowed'],
    ]
    for (const [signer, keys, verdict] of verifiers) {
      const list = await signer.list([entry({ kid: signer.kid }), entry({ jti: 'jti-2' })])
      issuer.answers.set(FEED, body(list))
      const options = { ...RULES, ...keys, revocation: { url: issuer.feedUrl } } as VerifierOptions
      const verifier = createVerifier(options)
      const ask: Ask = (token) => verdictOf(verifier, bearerOf(token))
      const token = await signer.token()
      // The second time the token is in the cache.
      expect([await ask(token), await ask(token)]).toEqual([verdict, verdict])
      expect(await ask(await signer.token({ jti: 'jti-2' }))).toBe('token_revoked')
    }
  })

  test('with a key that is newer than the set in memory', async () => {
    const clock = stopClock()
    const { issuer, ask } = await start()
    const token = await es.token()
    expect(await ask(token)).toBe('allowed')
    issuer.answers.set(FEED, body(await stranger.list([entry({ jti: 'jti-1' })])))
    issuer.answers.set(JWKS, json({ keys: [es.jwk, stranger.jwk] }))
    clock.advance(2)
    expect(await ask(token)).toBe('token_revoked')
  })
})

/** Invalid lists. Each would be an empty list if it were accepted. */
const wrong: readonly (readonly [string, () => Promise<string | Answer>])[] = [
  ['signed by a stranger', () => stranger.list([])],
  ['signed by a stranger under our key id', () => stranger.list([], {}, { kid: es.kid })],
  ['signed under no key id', () => es.list([], {}, { kid: undefined })],
  ['signed under another of our key ids', () => es.list([], {}, { kid: ed.kid })],
  ['whose signature is missing', async () => `${(await es.list([])).split('.').slice(0, 2).join('.')}.`],
  [
    'with the signature of a token',
    async () => [...(await es.list([])).split('.').slice(0, 2), (await es.token()).split('.')[2]].join('.'),
  ],
  [
    'of alg none',
    async () =>
      `${b64({ alg: 'none', kid: es.kid, typ: 'revocations+jwt' })}.${(await es.list([])).split('.')[1]}.`,
  ],
  ['of the type of tokens', () => es.list([], {}, { typ: 'at+jwt' })],
  ['of type JWT', () => es.list([], {}, { typ: 'JWT' })],
  ['of no type', () => es.list([], {}, { typ: undefined })],
  ['that is a token', () => es.token()],
  ['with another issuer', () => es.list([], { iss: `${RULES.issuer}/` })],
  ['without issuer', () => es.list([], { iss: undefined })],
  ['that has expired', () => es.list([], { iat: now() - 60, exp: now() - 1 })],
  ['that expires now', () => es.list([], { exp: now() })],
  ['without exp', () => es.list([], { exp: undefined })],
  ['whose exp is a text', () => es.list([], { exp: String(now() + HOUR) })],
  ['with an iat of tomorrow', () => es.list([], { iat: now() + 86_400, exp: now() + 90_000 })],
  ['without iat', () => es.list([], { iat: undefined })],
  ['with a lifetime of more than an hour', () => es.list([], { exp: now() + HOUR + 1 })],
  ['without seq', () => es.list([], { seq: undefined })],
  ['whose seq is a text', () => es.list([], { seq: '9007' })],
  ['whose seq is not an integer', () => es.list([], { seq: 9007.5 })],
  ['whose seq is not a safe integer', () => es.list([], { seq: 2 ** 53 })],
  ['without revocations', () => es.list(undefined)],
  ['whose revocations are null', () => es.list(null)],
  ['whose revocations are an object', () => es.list({})],
  ['with an entry that is null', () => es.list([null])],
  ['whose entry has only times', () => es.list([entry({})])],
  ['whose entry has an unknown name', () => es.list([entry({ aud: 'https://api.example.com' })])],
  ['whose entry has sub and client_id', () => es.list([entry({ sub: 'acct_9', client_id: 'client-9' })])],
  ['whose entry has jti and user', () => es.list([entry({ jti: 'jti-9', user: 'ada' })])],
  ['whose entry has jti and kid', () => es.list([entry({ jti: 'jti-9', kid: es.kid })])],
  ['whose entry has sub, jti and user', () => es.list([entry({ sub: 'acct_9', jti: 'jti-9', user: 'ada' })])],
  ['whose entry has user without sub', () => es.list([entry({ user: 'ada' })])],
  ['whose entry has a user that is null', () => es.list([entry({ sub: 'acct_9', user: null })])],
  ['whose entry has an unknown member', () => es.list([entry({ jti: 'jti-9', reason: { code: 4 } })])],
  ['that names its revocations twice', () => signText(`{"revoked":[],${GOOD},"revoked":[]}`)],
  [
    'whose entry repeats a name',
    () => signText(`{${GOOD},"revoked":[{"jti":"a","jti":"b","before":1,"until":2}]}`),
  ],
  ['with a comma instead of entries', () => signText(`{${GOOD},"revoked":[,]}`)],
  [
    'with a comma after the last entry',
    () => signText(`{${GOOD},"revoked":[{"jti":"${'j'.repeat(40_000)}","before":1,"until":2},]}`),
  ],
  ['with text after its end', () => signText(`{${GOOD},"revoked":[]} {}`)],
  ['whose text ends within the entries', () => signText(`{${GOOD},"revoked":[`)],
  ['whose text ends within a string', () => signText(`{${GOOD},"revoked":["`)],
  ['whose brackets do not match', () => signText(`{${GOOD},"revoked":[{]}]}`)],
  ['whose entry has a jti that is a number', () => es.list([entry({ jti: 7 })])],
  ['whose entry has an empty jti', () => es.list([entry({ jti: '' })])],
  ['with an entry without before', () => es.list([entry({ jti: 'jti-9', before: undefined })])],
  ['with an entry whose before is a text', () => es.list([entry({ jti: 'jti-9', before: '5' })])],
  ['with an entry without until', () => es.list([entry({ jti: 'jti-9', until: undefined })])],
  ['with an entry whose until is null', () => es.list([entry({ jti: 'jti-9', until: null })])],
  ['that is only its payload', async () => `{${GOOD},"revoked":[]}`],
  ['that is empty', async () => ''],
  ['that is an HTML page', async () => '<!doctype html><title>Welcome to the hotel</title>'],
  ['followed by a newline', async () => `${await es.list([])}\n`],
  ['in four parts', async () => `${await es.list([])}.AAAA`],
  ['in five parts that are signed', () => resign(({ input }) => `${input}.AAAA.AAAA`)],
  [
    'whose header has another algorithm than its key',
    () => resign(({ header, payload }) => `${b64({ ...header, alg: 'EdDSA' })}.${payload}`),
  ],
  ['with critical extensions', () => es.list([], {}, { crit: ['b64'], b64: true })],
  ['that is a 404', async () => status(404)],
  ['that is a 500', async () => status(500, {}, await es.list([]))],
  ['that is a 304 to a request without an entity tag', async () => status(304)],
  ['that is a redirect', async () => status(302, { location: '/good' })],
  ['over 32 MiB', async () => es.list([], { pad: 'x'.repeat(24 * 1024 * 1024) })],
  ['whose answer breaks off', async () => breakOff(await es.list([]))],
  ['whose connection is cut', async () => (_, response) => response.destroy()],
]

/** An empty list whose signing input was changed by `change` before it was signed with the key of `es`. */
async function resign(
  change: (of: { readonly input: string; readonly header: Json; readonly payload: string }) => string,
): Promise<string> {
  const [head = '', payload = ''] = (await es.list([])).split('.')
  const header = JSON.parse(Buffer.from(head, 'base64url').toString())
  const input = change({ input: `${head}.${payload}`, header, payload })
  const key = createPrivateKey({ key: es.privateJwk, format: 'jwk' })
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

/** Members that every list has. */
const GOOD = `"iss":"${RULES.issuer}","iat":${now()},"exp":${now() + HOUR},"seq":9007`

/** A correctly signed list with this text as payload. */
function signText(payload: string): Promise<string> {
  const text = Buffer.from(payload).toString('base64url')
  return resign(({ header }) => `${b64(header)}.${text}`)
}

const b64 = (value: Json): string => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('a list counts as stale, never as empty:', () => {
  test.each(wrong)('one %s', async (_, make) => {
    const clock = stopClock()
    const { issuer, ask } = await start([entry({ jti: 'jti-1' })])
    const made = await make()
    const answer = typeof made === 'string' ? body(made) : made
    issuer.answers.set('/good', body(await es.list([])))
    const token = await es.token({ exp: now() + HOUR })

    // The last list stays in use.
    expect(await ask(token)).toBe('token_revoked')
    issuer.answers.set(FEED, answer)
    clock.advance(2)
    expect(await ask(token)).toBe('token_revoked')
    expect(await ask(await es.token({ jti: 'jti-2' }))).toBe('allowed')
    expect(issuer.askedFor(FEED)).toHaveLength(2)
    expect(issuer.askedFor('/good')).toHaveLength(0)
    // It stays in use also when it is stale, unless `onStale` is `refuse`.
    clock.advance(300)
    expect(await ask(token)).toBe('token_revoked')
  })

  test.each(wrong)('one %s, from the start', async (_, make) => {
    const { issuer } = await start()
    const made = await make()
    issuer.answers.set(FEED, typeof made === 'string' ? body(made) : made)
    expect(await createAsking(issuer, { onStale: 'refuse' })(await es.token())).toBe('unavailable')
    expect(await createAsking(issuer, { onStale: 'accept' })(await es.token())).toBe('allowed')
  })

  test('a list that was never fetched', async () => {
    const { issuer } = await start()
    issuer.answers.set(FEED, hang)
    const asking = [createAsking(issuer, { onStale: 'refuse' }), createAsking(issuer)]
    const token = await es.token()
    const [refused, accepted] = await Promise.all(asking.map((ask) => timed(ask(token))))
    expect([refused?.value, accepted?.value]).toEqual(['unavailable', 'allowed'])
    expect(Math.max(refused?.ms ?? 0, accepted?.ms ?? 0)).toBeLessThan(5500)
  })
})
