// createClaimClient against the real server: both forms of a credential, every parameter, every refusal.

import { describe, expect, test } from 'vitest'
import { ClaimRequestError } from '../../../src/client/backend/error.ts'
import { type ClaimClientOptions, createClaimClient } from '../../../src/client/backend/index.ts'
import { parseAccountToken } from '../../../src/signing/secret.ts'
import { payloadOf, SITE } from '../../support/world.ts'
import {
  answer,
  closedUrl,
  expectNoSecret,
  JKT,
  TOKEN,
  useSimulatedIssuer,
  useWorld,
  whoami,
} from './issuer.ts'

const world = useWorld()
const simulated = useSimulatedIssuer()

const clients = {
  'an account token': () => createClaimClient({ issuer: world().issuer, token: world().token }),
  'a pair': () => {
    const { issuer, clientId, clientSecret } = world()
    return createClaimClient({ issuer: `${issuer}/`, clientId, clientSecret })
  },
}

describe.each(Object.entries(clients))('with %s', (_, create) => {
  test('a page gets a token that works from its origin', async () => {
    const claimed = await create().claim({ origin: `${SITE}/some/page?x=1` })
    expect(claimed).toMatchObject({ tokenType: 'Bearer', expiresIn: 1800, origin: SITE, scope: 'read write' })
    expect(new Date(claimed.expiresAt).getTime()).toBe(payloadOf(claimed.token).exp * 1000)
    expect(await whoami(world(), claimed.token, SITE)).toMatchObject({ clientId: world().clientId })
  })

  test('the token has every bound of the request', async () => {
    const asked = {
      origin: SITE,
      ip: ['192.0.2.7', '2001:db8::/64'],
      scope: 'write',
      expiresIn: 60,
      jkt: JKT,
    }
    const claimed = await create().claim(asked)
    expect(claimed.tokenType).toBe('DPoP')
    const { origin, ip, scope, cnf, exp, iat } = payloadOf(claimed.token)
    expect({ origin, ip, scope, jkt: cnf.jkt, expiresIn: exp - iat }).toEqual(asked)
  })

  test('the backend gets a token for itself, which is not bound', async () => {
    const own = await create().token({ scope: 'read' })
    expect(own).toEqual({ token: expect.any(String), tokenType: 'Bearer', expiresIn: 1800, scope: 'read' })
    const { origin, ip, cnf, sub } = payloadOf(own.token)
    expect([origin, ip, cnf, sub]).toEqual([undefined, undefined, undefined, world().accountId])
    expect((await create().token()).scope).toBe('read write')
  })

  test('it shows issuer and client id, and no secret', () => {
    const client = create()
    expect(client).toMatchObject({ issuer: world().issuer, clientId: world().clientId })
    expectNoSecret(JSON.stringify(client), world())
  })
})

/** The error of a promise that must reject. */
async function rejection(promise: Promise<unknown>): Promise<ClaimRequestError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  )
  expect(error).toBeInstanceOf(ClaimRequestError)
  return error
}

describe('refusals of the issuer', () => {
  const right = () => clients['an account token']()

  test.each([
    [
      'an origin that the account does not list',
      { origin: 'https://evil.example' },
      403,
      'origin_not_allowed',
      /not/,
    ],
    [
      'a scope that the credential lacks',
      { origin: SITE, scope: 'admin' },
      403,
      'scope_not_allowed',
      /scope/,
    ],
    [
      'parameters out of range',
      { origin: '*', expiresIn: 5 },
      422,
      'invalid_request',
      /origin .*expiresIn .*10/,
    ],
    ['an empty bound', { origin: SITE, ip: '' }, 422, 'invalid_request', /ip must/],
    ['a misspelt bound', { origin: SITE, IP: '192.0.2.7' }, 422, 'invalid_request', /IP is written `ip`/],
  ])('%s', async (_, request, status, code, message) => {
    const error = await rejection(right().claim(request))
    expect(error).toMatchObject({ name: 'ClaimRequestError', status, code, retryAfter: undefined })
    expect(error.message).toMatch(message)
    expectNoSecret(error.message, world())
  })

  test.each([
    ['a wrong secret', () => ({ token: world().wrong })],
    ['an account token with a typo', () => ({ token: `${TOKEN.slice(0, -1)}-` })],
    ['a text that is not an account token', () => ({ token: 'nonsense' })],
    ['an unknown pair', () => parseAccountToken(TOKEN) as { clientId: string; clientSecret: string }],
    ['a pair of other characters', () => ({ clientId: 'ctrl-dev-my-app', clientSecret: 'your:secret' })],
  ])('%s: claim gives unauthorized, token gives invalid_client', async (_, credential) => {
    const options = { issuer: world().issuer, ...credential() } as ClaimClientOptions
    const client = createClaimClient(options)
    const errors = [await rejection(client.claim({ origin: SITE })), await rejection(client.token())]
    expect(errors.map(({ status, code }) => [status, code])).toEqual([
      [401, 'unauthorized'],
      [401, 'invalid_client'],
    ])
    for (const error of errors) {
      expectNoSecret(`${error.message} ${JSON.stringify(error)} ${error.stack}`, world())
      expect(error.message).not.toContain('your:secret')
    }
  })
})

describe('without issuer or credential', () => {
  test.each([
    ['no credential', { issuer: 'https://auth.example.com', token: undefined }],
    ['an empty credential', { issuer: 'https://auth.example.com', token: '' }],
    ['half a pair', { issuer: 'https://auth.example.com', clientId: 'a', clientSecret: undefined }],
    ['no issuer', { issuer: undefined, token: TOKEN }],
  ])('%s: the client can be created, and its calls reject without a request', async (_, options) => {
    const client = createClaimClient(options as ClaimClientOptions)
    for (const asked of [client.claim({ origin: SITE }), client.token()]) {
      expect(await rejection(asked)).toMatchObject({ status: 503, code: 'unavailable' })
    }
  })
})

describe('invalid options', () => {
  const issuer = 'https://auth.example.com'
  test.each([
    ['issuer', { issuer: 'auth.example.com', token: TOKEN }],
    ['issuer', { issuer: 'ftp://auth.example.com', token: TOKEN }],
    ['issuer', { issuer: 'ftp://auth.example.com', token: TOKEN, allowInsecureIssuer: true }],
    ['issuer', { issuer: 'http://auth.example.com', token: TOKEN }],
    ['issuer', { issuer: 'http://auth.internal:8787', token: TOKEN, allowInsecureIssuer: false }],
    ['issuer', { issuer: 'http://localhost.example.com', token: TOKEN }],
    ['issuer', { issuer: 'http://192.168.0.2', token: TOKEN }],
    ['allowInsecureIssuer', { issuer: 'http://auth.internal', token: TOKEN, allowInsecureIssuer: 'yes' }],
    ['issuer', { issuer: 'https://me:secret@auth.example.com', token: TOKEN }],
    ['issuer', { issuer: 'https://auth.example.com/?a=1', token: TOKEN }],
    ['issuer', { issuer: 'https://auth.example.com/#a', token: TOKEN }],
    ['issuer', { issuer: new URL(issuer), token: TOKEN }],
    ['token', { issuer, token: `${TOKEN}\n` }],
    ['token', { issuer, token: ` ${TOKEN}` }],
    ['token', { issuer, token: 5 }],
    ['token', { issuer, token: TOKEN, clientId: 'a' }],
    ['clientId', { issuer, clientId: 'a b', clientSecret: 'b' }],
    ['clientSecret', { issuer, clientId: 'a', clientSecret: `${TOKEN}ä` }],
    ['secret', { issuer, secret: TOKEN }],
  ])('%s: %j', (name, options) => {
    let message = ''
    try {
      createClaimClient(options as unknown as ClaimClientOptions)
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError)
      message = (error as Error).message
    }
    expect(message).toMatch(new RegExp(`^${name}: `))
    expectNoSecret(message)
  })
})

describe('the simulated issuer', () => {
  const client = () => createClaimClient({ issuer: simulated.url, token: TOKEN })

  test('gets JSON with the account token, or a form with the pair', async () => {
    simulated.asked.length = 0
    simulated.reply = answer(401)
    await rejection(client().claim({ origin: SITE, ip: undefined, scope: 'read' }))
    await rejection(client().token({ scope: 'read' }))
    const { clientId, clientSecret } = parseAccountToken(TOKEN) ?? {}
    expect(simulated.asked.map(({ path, body, headers }) => [path, body, headers.authorization])).toEqual([
      ['/auth/claim', `{"origin":"${SITE}","scope":"read"}`, `Bearer ${TOKEN}`],
      [
        '/oauth/token',
        'grant_type=client_credentials&scope=read',
        `Basic ${btoa(`${clientId}:${clientSecret}`)}`,
      ],
    ])
  })

  test('may have a path', async () => {
    simulated.asked.length = 0
    await rejection(
      createClaimClient({ issuer: `${simulated.url}/tenant/`, token: TOKEN }).claim({ origin: SITE }),
    )
    expect(simulated.asked.map(({ path }) => path)).toEqual(['/tenant/auth/claim'])
  })

  test.each([
    ['the account token', (headers: Record<string, string>) => headers.authorization],
    ['the secret alone', () => parseAccountToken(TOKEN)?.clientSecret],
  ])('may echo %s: the error does not contain it', async (_, echo) => {
    simulated.reply = (request, response) => {
      const detail = `you sent ${echo(request.headers as Record<string, string>)}`
      response
        .writeHead(403, { 'retry-after': '7' })
        .end(JSON.stringify({ error: 'denied', detail, error_description: detail }))
    }
    for (const asked of [client().claim({ origin: SITE }), client().token()]) {
      const error = await rejection(asked)
      expect(error).toMatchObject({ status: 403, message: 'the issuer answered 403', retryAfter: 7 })
      expectNoSecret(JSON.stringify(error))
    }
  })

  test('may send several lines: the message has one', async () => {
    simulated.reply = answer(400, { error: 'bad', detail: 'first\r\nsecond\u2028\u001b[31m' })
    const { message } = await rejection(client().claim({ origin: SITE }))
    expect(message).toBe('the issuer answered 400 bad: first second [31m')
  })

  test('may be unreachable', async () => {
    const nobody = createClaimClient({ issuer: await closedUrl(), token: TOKEN })
    const error = await rejection(nobody.claim({ origin: SITE }))
    expect(error).toMatchObject({ status: 504, code: 'gateway_timeout' })
    expect(error.message).toBe('the issuer cannot be reached (ECONNREFUSED)')
  })
})
