// Mistakes of an API's developer with the verifier. The tokens are claimed from a real server.

import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { claimAuth, claimCors } from '../../src/verify/middleware/hono.ts'
import { createVerifier, type Verifier, type VerifierOptions } from '../../src/verify/verifier.ts'
import { createMaker, hashToken } from '../support/dpop-maker.ts'
import { type Guarded, startGuarded } from '../support/guarded.ts'
import { type Mistake, messageOf, testMistakes } from '../support/mistake.ts'
import { useServers } from '../support/server.ts'
import { sendToSocket } from '../support/wire.ts'
import { claimToken, createWorld, SITE, type World } from '../support/world.ts'

const { start } = useServers()
let world: World
let token: string
beforeAll(async () => {
  const server = await start()
  const send = (wire: Parameters<typeof sendToSocket>[1]) => sendToSocket(server.url, wire)
  world = await createWorld({ issuer: server.url, send, stop: server.stop })
  token = await claimToken(world)
})

const verifiers: Verifier[] = []
afterEach(() => {
  vi.useRealTimers()
  for (const verifier of verifiers.splice(0)) verifier.close()
})

const API = 'https://api.example.com'
const told: string[] = []

/** A verifier of the real server, with these options. What it tells is in `told`. */
function create(options: Partial<VerifierOptions> = {}): Verifier {
  told.length = 0
  const rules = { issuer: world.issuer, audience: world.issuer }
  const onError = (error: Error): void => void told.push(error.message)
  const verifier = createVerifier({ ...rules, onError, ...options } as VerifierOptions)
  verifiers.push(verifier)
  return verifier
}

const from = (headers: Record<string, string> = {}): Request =>
  new Request(`${API}/things`, { headers: { origin: SITE, authorization: `Bearer ${token}`, ...headers } })

/** What onError was told when the token was shown to a verifier with these options. */
async function toldBy(options: Partial<VerifierOptions>): Promise<string> {
  await create(options)
    .verify(from())
    .catch(() => undefined)
  expect(told).toHaveLength(1)
  return told.join()
}

/** The detail of the refusal of this request. */
const refusalOf = (request: Request, options: Partial<VerifierOptions> = {}): Promise<string> =>
  messageOf(() => create(options).verify(request))

/** Lets the API's clock differ from the issuer's, by seconds. */
async function withClock(seconds: number): Promise<string> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })
  return refusalOf(from(), { clockTolerance: 5 })
}

async function showTokenFrom(peer: string, forwarded: string, options: Partial<VerifierOptions>) {
  const bound = await claimToken(world, { ip: '192.0.2.7' })
  const request = from({ authorization: `Bearer ${bound}`, 'x-forwarded-for': forwarded })
  await expect(create(options).verify(request, { ip: peer })).rejects.toMatchObject({ code: 'ip_mismatch' })
  return told.join()
}

async function askMiddleware(options: object, headers: Record<string, string>): Promise<string> {
  const rules = { issuer: world.issuer, audience: world.issuer, revocation: false }
  const api = await startGuarded('hono', { ...rules, ...options } as Guarded)
  try {
    const { text } = await api.ask({ headers: { authorization: `Bearer ${token}`, ...headers } })
    return JSON.parse(text).detail
  } finally {
    await api.stop()
  }
}

const mistakes: readonly Mistake[] = [
  {
    mistake: 'no audience',
    make: () => messageOf(() => create({ audience: undefined as unknown as string })),
    names: /^audience: /,
    advises:
      /the aud of tokens for this API; unless CLAIMGATE_AUDIENCE is set, that is the URL of the issuer/,
  },
  {
    mistake: 'http in place of https, for the issuer',
    make: () => messageOf(() => create({ issuer: 'http://auth.example.com' })),
    names: /^issuer: /,
    advises: /must be an https URL.*allowInsecureIssuer/,
  },
  {
    mistake: 'http in place of https, for the keys',
    make: () => messageOf(() => create({ jwksUri: 'http://auth.example.com/.well-known/jwks.json' })),
    names: /^jwksUri: /,
    advises: /must be an https URL.*allowInsecureIssuer/,
  },
  {
    mistake: 'a page at http, with a token for the page at https',
    make: () => refusalOf(from({ origin: SITE.replace('https:', 'http:') })),
    names: /another origin/,
    advises: /claim one for the origin of the page, with the same scheme/,
  },
  {
    mistake: 'a wrong JWKS URL',
    make: () => toldBy({ jwksUri: `${world.issuer}/jwks.json`, revocation: false }),
    names: /the keys at http:.*\/jwks\.json cannot be read: the issuer answered 404/,
    advises: /check the option jwksUri/,
  },
  {
    mistake: 'HTML in place of keys',
    make: () => toldBy({ jwksUri: `${world.issuer}/docs`, revocation: false }),
    names: /the keys at http:.*\/docs cannot be read: the answer is HTML, not JSON/,
    advises: /check the option jwksUri; without it, the URL is <issuer>\/\.well-known\/jwks\.json/,
  },
  {
    mistake: 'a wrong issuer',
    make: () => toldBy({ issuer: `${world.issuer}/auth`, revocation: false }),
    names: /the keys at http:.*\/auth\/\.well-known\/jwks\.json cannot be read/,
    advises: /so check issuer/,
  },
  {
    mistake: 'a wrong feed URL',
    make: () => toldBy({ revocation: { url: `${world.issuer}/revocations` } }),
    names: /the revocations at http:.*\/revocations cannot be read: the issuer answered 404/,
    advises: /check the option revocation\.url: .*<issuer>\/\.well-known\/revocations/,
  },
  {
    mistake: 'HTML in place of the feed',
    make: () => toldBy({ revocation: { url: `${world.issuer}/docs` } }),
    names: /the revocations at http:.*\/docs cannot be read: the answer is HTML/,
    advises: /check the option revocation\.url/,
  },
  {
    mistake: 'keys in place of the feed',
    make: () => toldBy({ revocation: { url: `${world.issuer}/.well-known/jwks.json` } }),
    names: /the revocations at .* cannot be read: it is no list of revocations/,
    advises: /check the option revocation\.url/,
  },
  {
    mistake: 'an expired token',
    make: () => withClock(3600),
    names: /the token has expired/,
    advises: /get a new one/,
  },
  {
    mistake: "the API's clock is ten minutes behind",
    make: () => withClock(-600),
    names: /the token is not valid yet/,
    advises: /a clock is wrong: that of the issuer or that of this server/,
  },
  {
    mistake: "the API's clock is ten minutes ahead, and tokens live for five",
    make: async () => {
      const short = await claimToken(world, { expiresIn: 300 })
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000 })
      return refusalOf(from({ authorization: `Bearer ${short}` }))
    },
    names: /the token has expired/,
    advises: /if it is new, a clock is wrong/,
  },
  {
    mistake: 'an account token in place of a browser token',
    make: () => refusalOf(from({ authorization: `Bearer ${world.token}` })),
    names: /this is an account token/,
    advises: /must stay on a server: exchange it there for a browser token/,
  },
  {
    mistake: 'a key-bound token without apiOrigin',
    make: async () => {
      const maker = await createMaker('ES256')
      const bound = await claimToken(world, { jkt: maker.jkt })
      const proof = maker.proof({
        iat: Math.floor(Date.now() / 1000),
        ath: hashToken(bound),
        htu: `${API}/things`,
      })
      const detail = await refusalOf(from({ authorization: `DPoP ${bound}`, dpop: proof }))
      expect(told.join()).toContain('apiOrigin')
      return detail
    },
    names: /the option apiOrigin/,
    advises: /set it to the public origin of this API/,
  },
  {
    mistake: 'require: ["key"] without apiOrigin',
    make: () => messageOf(() => create({ require: ['key'] })),
    names: /^apiOrigin: /,
    advises: /is required with require: \["key"\]/,
  },
  {
    mistake: 'no trusted proxies, behind a proxy',
    make: () => showTokenFrom('10.0.0.1', '192.0.2.7', {}),
    names: /forwarded addresses/,
    advises: /only when the option trustedProxies names your proxies/,
  },
  {
    mistake: 'more trusted proxies than there are',
    make: () => showTokenFrom('10.0.0.1', '192.0.2.7', { trustedProxies: 2 }),
    names: /the client's address is not known/,
    advises: /check the option trustedProxies, and forwardedHeader/,
  },
  {
    mistake: 'options of a middleware given to createVerifier',
    make: () => messageOf(() => create({ allowedOrigins: [SITE] } as object)),
    names: /^allowedOrigins: /,
    advises: /option of the middlewares: pass it to claimAuth, not to createVerifier/,
  },
  {
    mistake: 'an option of a verifier beside a shared verifier',
    make: () =>
      messageOf(() =>
        claimAuth({ verifier: create(), audience: world.issuer } as unknown as Parameters<
          typeof claimAuth
        >[0]),
      ),
    names: /^audience: /,
    advises: /belongs to createVerifier/,
  },
  {
    mistake: 'a page whose origin the API does not list',
    make: async () => {
      const other = await claimToken(world, { origin: 'http://localhost:5173' })
      const headers = { origin: 'http://localhost:5173', authorization: `Bearer ${other}` }
      return askMiddleware({ allowedOrigins: [SITE] }, headers)
    },
    names: /pages of this origin/,
    advises: /not among its allowedOrigins/,
  },
  {
    mistake: 'no allowedOrigins for CORS without tokens',
    make: () => messageOf(() => claimCors({} as Parameters<typeof claimCors>[0])),
    names: /^allowedOrigins: /,
    advises: /must be given, a list of origins, "\*" or a function/,
  },
]

testMistakes(mistakes)

test('trustedProxies is told once a minute, and only where a proxy may be the reason', async () => {
  const bound = await claimToken(world, { ip: '192.0.2.7' })
  const verifier = create()
  const show = (headers: Record<string, string>): Promise<unknown> =>
    verifier
      .verify(from({ authorization: `Bearer ${bound}`, ...headers }), { ip: '10.0.0.1' })
      .catch(() => undefined)
  await show({})
  await verifier.verify(from({ 'x-forwarded-for': '192.0.2.9' }), { ip: '10.0.0.1' })
  expect(told).toEqual([])
  for (let count = 0; count < 3; count += 1) await show({ 'x-forwarded-for': '192.0.2.7' })
  expect(told).toEqual([expect.stringContaining('trustedProxies')])
  expect(await showTokenFrom('10.0.0.1', '198.51.100.1', { trustedProxies: 'loopback, 10.0.0.0/8' })).toBe('')
})

test('an issuer with a slash at its end is no mistake', async () => {
  const claims = await create({ issuer: `${world.issuer}/` }).verify(from())
  expect(claims.iss).toBe(world.issuer)
  expect(told).toEqual([])
})

test.each(['allowedOrigins', 'allowedHeaders', 'cors', 'clientIp', 'verifier'])(
  'createVerifier says of %s that it is an option of the middlewares',
  async (name) => {
    expect(await messageOf(() => create({ [name]: undefined }))).toMatch(
      `${name}: is an option of the middlewares`,
    )
  },
)
