// The OAuth endpoints on one runtime: their rows, and tests that need several requests.

import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { parseAccountToken } from '../../src/signing/secret.ts'
import {
  asMain,
  asserting,
  basicOf,
  expectRefusal,
  expectSealed,
  type Headers,
  type Members,
  postForm,
  tokenForm,
} from '../support/oauth-wire.ts'
import type { RowRunner } from '../support/rows.ts'
import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, WireAnswer } from '../support/wire.ts'
import { payloadOf, type World } from '../support/world.ts'
import { clientRows, formRows, type OAuthRow } from './oauth-rows.ts'
import { tokenRows } from './oauth-token-rows.ts'

const PATHS = ['/oauth/token', '/oauth/revoke', '/oauth/introspect'] as const

/** Defines the tests of the OAuth endpoints. `getWorld` is called when the tests run. */
export function describeOAuth(getWorld: () => World, runner: RowRunner): void {
  const get = (path: string, headers: Headers = {}) => getWorld().send({ method: 'GET', path, headers })
  const post = (path: string, members: Members, headers: Headers = asMain(getWorld())): Promise<WireAnswer> =>
    getWorld().send(postForm(path, members, headers))
  const getToken = async (members: Members = {}): Promise<string> => {
    const answer = await getWorld().send(tokenForm(members, asMain(getWorld())))
    expect(answer.status, answer.text).toBe(200)
    return answer.json().access_token
  }
  /** Headers with the credential of the account `open`. */
  const asOther = (): Headers => {
    const { clientId = '', clientSecret = '' } = parseAccountToken(getWorld().open) ?? {}
    return { authorization: basicOf(clientId, clientSecret) }
  }

  describe.each(PATHS)('oauth: %s', (path) => {
    runner.describe('form and client', [...formRows, ...clientRows], async (row) => {
      const world = getWorld()
      const request = row.request(world)
      const [status, error] = row.expect as readonly [number, string]
      const asked = { ...request, path: request.path.replace('/oauth/token', path) }
      expectRefusal(await world.send(asked), status, error, world)
    })

    test('OPTIONS: 204, Allow, no CORS', async () => {
      const headers = { origin: 'https://a.example', 'access-control-request-method': 'POST' }
      const answer = await getWorld().send({ method: 'OPTIONS', path, headers })
      expect([answer.status, answer.headers.get('allow')]).toEqual([204, 'POST, OPTIONS'])
      expectSealed(answer)
    })

    test('a 405 lists the allowed methods', async () => {
      expect((await get(path)).headers.get('allow')).toBe('POST, OPTIONS')
    })
  })

  describe('oauth: token', () => {
    runner.describe('parameters', tokenRows, async (row) => {
      const world = getWorld()
      expectToken(row, await world.send(row.request(world)), world)
    })

    test('an account without scopes: no scope in the answer, and its maxTtl limits the lifetime', async () => {
      const answer = await getWorld().send(tokenForm({}, asOther()))
      const body: Json = answer.json()
      expect(Object.keys(body)).toEqual(['access_token', 'token_type', 'expires_in'])
      expect(body.expires_in).toBe(600)
      expect(payloadOf(body.access_token)).not.toHaveProperty('scope')
    })
  })

  describe('oauth: introspect', () => {
    const introspect = (token: string, headers?: Headers) => post('/oauth/introspect', { token }, headers)
    const expectInactive = (answer: WireAnswer): void => {
      expect([answer.status, answer.text]).toEqual([200, '{"active":false}'])
      expect(answer.headers.get('content-type')).toBe('application/json')
      expectSealed(answer)
    }

    test('an active token: its claims, and no member that it does not have', async () => {
      const token = await getToken()
      const { iss, aud, sub, client_id, jti, iat, exp, scope } = payloadOf(token)
      const answer = await introspect(token)
      expect(answer.headers.get('content-type')).toBe('application/json')
      expectSealed(answer)
      expect(answer.json()).toEqual({
        active: true,
        token_type: 'Bearer',
        ...{ scope, client_id, exp, iat, sub, aud, iss, jti },
      })
    })

    test('an active token: its bounds, which do not apply to the client that asks', async () => {
      const token = await getToken({ origin: 'http://localhost:5173', ip: '192.0.2.1,2001:db8::/32' })
      expect((await introspect(token)).json()).toMatchObject({
        active: true,
        origin: 'http://localhost:5173',
        ip: ['192.0.2.1', '2001:db8::/32'],
      })
    })

    test('token_type_hint is ignored', async () => {
      const members = { token: await getToken(), token_type_hint: 'refresh_token' }
      expect((await post('/oauth/introspect', members)).json().active).toBe(true)
    })

    test('a token of another account is inactive', async () =>
      expectInactive(await introspect(await getToken(), asOther())))

    test.each(['garbage', '..', 'x'.repeat(5000), ' ', '\0'])('%j is inactive', async (token) =>
      expectInactive(await introspect(token)),
    )

    test('a changed token is inactive', async () => {
      const [head = '', payload = '', signature = ''] = (await getToken()).split('.')
      const claims = Buffer.from(JSON.stringify({ ...payloadOf(`.${payload}`), scope: 'admin' })).toString(
        'base64url',
      )
      expectInactive(await introspect(`${head}.${claims}.${signature}`))
      expectInactive(await introspect(`${head}.${payload}.${'A'.repeat(86)}`))
      expectInactive(await introspect(`${head}.${payload}.${signature} `))
      expectInactive(await introspect(getWorld().token))
    })

    test('a request without a token, or with an empty one, is invalid', async () => {
      expectRefusal(await post('/oauth/introspect', {}), 400, 'invalid_request', getWorld())
      expectRefusal(await introspect(''), 400, 'invalid_request', getWorld())
    })
  })

  describe('oauth: revoke', () => {
    const isActive = async (token: string): Promise<boolean> =>
      (await post('/oauth/introspect', { token })).json().active
    const expectDone = (answer: WireAnswer): void => {
      expect([answer.status, answer.text, answer.headers.get('content-type')]).toEqual([200, '', null])
      expectSealed(answer)
    }
    const readRevocations = async (jti: string): Promise<readonly Json[]> => {
      const answer = await get('/admin/audit?limit=200', { authorization: `Bearer ${ADMIN_TOKEN}` })
      const entries: readonly Json[] = answer.json().entries
      return entries.filter((entry) => entry.action === 'revocation.create' && entry.target === jti)
    }

    test('ends a token immediately with one audit entry, and no other token', async () => {
      const [token, other] = [await getToken(), await getToken()]
      expectDone(await post('/oauth/revoke', { token, token_type_hint: 'refresh_token' }))
      expect([await isActive(token), await isActive(other)]).toEqual([false, true])
      expectDone(await post('/oauth/revoke', { token }))
      const entries = await readRevocations(payloadOf(token).jti)
      expect(entries.map(({ actor }) => actor)).toEqual([getWorld().clientId])
    })

    test('does not end a token of another account', async () => {
      const token = await getToken()
      expectDone(await post('/oauth/revoke', { token }, asOther()))
      expect(await isActive(token)).toBe(true)
      expect(await readRevocations(payloadOf(token).jti)).toEqual([])
    })

    test('answers 200 for a text that is not a token', async () => {
      for (const token of ['garbage', 'a.b.c', 'x'.repeat(5000), getWorld().token, '\0']) {
        expectDone(await post('/oauth/revoke', { token }))
      }
    })

    test('a request without a token, or with an empty one, is invalid', async () => {
      expectRefusal(await post('/oauth/revoke', {}), 400, 'invalid_request', getWorld())
      expectRefusal(await post('/oauth/revoke', { token: '' }), 400, 'invalid_request', getWorld())
    })
  })

  test.each(['ES256', 'EdDSA', 'Ed25519'])(
    'oauth: private_key_jwt by %s, each assertion works once',
    async (alg) => {
      const { privateKey, publicKey } = await generateKeyPair(alg)
      const registered = await getWorld().send({
        method: 'POST',
        path: `/admin/accounts/${getWorld().accountId}/credentials`,
        headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1' }] } }),
      })
      expect(registered.status, registered.text).toBe(201)
      const { clientId } = registered.json().credential
      const sign = (kid: string) =>
        new SignJWT({ jti: crypto.randomUUID() })
          .setProtectedHeader({ alg, kid })
          .setIssuer(clientId)
          .setSubject(clientId)
          .setAudience(getWorld().issuer)
          .setExpirationTime('1m')
          .sign(privateKey)
      const send = (assertion: string) => getWorld().send(tokenForm(asserting(assertion)))
      const assertion = await sign('k1')
      const answer = await send(assertion)
      expect(answer.status, answer.text).toBe(200)
      expect(payloadOf(answer.json().access_token).client_id).toBe(clientId)
      expectRefusal(await send(assertion), 401, 'invalid_client', getWorld())
      expectRefusal(await send(await sign('k2')), 401, 'invalid_client', getWorld())
      const parts = (await sign('k1')).split('.')
      const forged = [parts[0], parts[1], assertion.split('.')[2]].join('.')
      expectRefusal(await send(forged), 401, 'invalid_client', getWorld())
    },
  )

  describe('oauth: metadata', () => {
    const PATH = '/.well-known/oauth-authorization-server'

    test('lists every endpoint below the issuer, and what each supports', async () => {
      const answer = await get(PATH)
      const { issuer } = getWorld()
      const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
      const algs = ['ES256', 'EdDSA', 'Ed25519']
      expect(answer.json()).toEqual({
        issuer,
        token_endpoint: `${issuer}/oauth/token`,
        revocation_endpoint: `${issuer}/oauth/revoke`,
        introspection_endpoint: `${issuer}/oauth/introspect`,
        jwks_uri: `${issuer}/.well-known/jwks.json`,
        grant_types_supported: ['client_credentials'],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: methods,
        revocation_endpoint_auth_methods_supported: methods,
        introspection_endpoint_auth_methods_supported: methods,
        token_endpoint_auth_signing_alg_values_supported: algs,
        revocation_endpoint_auth_signing_alg_values_supported: algs,
        introspection_endpoint_auth_signing_alg_values_supported: algs,
        dpop_signing_alg_values_supported: algs,
        service_documentation: `${issuer}/docs`,
      })
    })

    test('is public and cacheable', async () => {
      const { headers } = await get(PATH, { origin: 'https://anybody.example' })
      expect(headers.get('content-type')).toBe('application/json')
      expect(headers.get('cache-control')).toBe('public, max-age=300')
      expect(headers.get('access-control-allow-origin')).toBe('*')
    })

    test.each([`${PATH}/`, `${PATH}/elsewhere`, `${PATH}x`])('%s is 404', async (path) => {
      expect((await get(path)).status).toBe(404)
    })

    test('POST is not allowed', async () => {
      const answer = await getWorld().send({ method: 'POST', path: PATH })
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
    })
  })
}

function expectToken(row: OAuthRow, answer: WireAnswer, world: World): void {
  if (Array.isArray(row.expect)) {
    const [status, error] = row.expect as [number, string]
    expectRefusal(answer, status, error, world)
    return
  }
  expect(answer.status, answer.text).toBe(200)
  expect(answer.headers.get('content-type')).toBe('application/json')
  expectSealed(answer)
  const body: Json = answer.json()
  const { body: members = {}, claims: bounds = {} } = row.expect as Exclude<
    OAuthRow['expect'],
    readonly unknown[]
  >
  const claims = payloadOf(body.access_token)
  expect(body).toEqual({
    access_token: expect.any(String),
    token_type: 'Bearer',
    expires_in: claims.exp - claims.iat,
    scope: claims.scope,
  })
  expect(body).toMatchObject(members)
  const { iss, aud, sub, client_id } = claims
  expect({ iss, aud, sub, client_id }).toEqual({
    iss: world.issuer,
    aud: world.issuer,
    sub: world.accountId,
    client_id: world.clientId,
  })
  for (const name of ['origin', 'ip', 'cnf']) expect(claims[name]).toEqual(bounds[name])
  if ('scope' in bounds) expect(claims.scope).toBe(bounds.scope)
}
