// OAuth clients from npm get tokens from the real server as their manuals show, and resource servers from npm accept those
// tokens. Clients and resource servers get only URLs and credentials.

import { JwtVerifier } from 'aws-jwt-verify'
import express from 'express'
import { auth } from 'express-oauth2-jwt-bearer'
import * as oauth from 'oauth4webapi'
import * as client from 'openid-client'
import { ClientCredentials } from 'simple-oauth2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_TOKEN, startServer } from '../support/server.ts'
import { type Json, sendToSocket, type Target } from '../support/wire.ts'
import { createAccount, payloadOf, SITE } from '../support/world.ts'

const insecure = { [oauth.allowInsecureRequests]: true }

describe.each(['ES256', 'EdDSA'] as const)('signed with %s', (alg) => {
  let target: Target
  let account: Json
  let signing: { readonly id: string; readonly key: CryptoKeyPair; readonly kid: string }

  beforeAll(async () => {
    const server = await startServer({ env: { CLAIMGATE_ALG: alg } })
    target = { issuer: server.url, send: (request) => sendToSocket(server.url, request), stop: server.stop }
    account = await createAccount(target, { name: 'Shop', allowedOrigins: [SITE], scopes: ['read', 'write'] })
    signing = await registerKey(account.account.id)
  })
  afterAll(() => target?.stop())

  /** Creates a credential with a public key instead of a secret. The private key stays in this process. */
  async function registerKey(accountId: string) {
    const key = await oauth.generateKeyPair('ES256')
    const jwk = { ...(await crypto.subtle.exportKey('jwk', key.publicKey)), kid: 'shop-1' }
    const { kty, crv, x, y, kid } = jwk
    const answer = await target.send({
      method: 'POST',
      path: `/admin/accounts/${accountId}/credentials`,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'by key', jwks: { keys: [{ kty, crv, x, y, kid }] } }),
    })
    expect(answer.status, answer.text).toBe(201)
    const { credential } = answer.json()
    expect(Object.keys(credential).sort()).toEqual(['clientId', 'id'])
    return { id: credential.clientId as string, key, kid }
  }

  function expectToken(token: string, clientId: string, scope: string | undefined): void {
    const { iss, sub, client_id, aud, scope: held, iat, exp } = payloadOf(token)
    expect({ iss, sub, client_id, aud, held }).toEqual({
      iss: target.issuer,
      sub: account.account.id,
      client_id: clientId,
      aud: target.issuer,
      held: scope,
    })
    expect(exp - iat).toBe(1800)
  }

  describe('openid-client discovers the metadata and', () => {
    const discover = (id: string, method: client.ClientAuth) =>
      client.discovery(new URL(target.issuer), id, undefined, method, {
        algorithm: 'oauth2',
        execute: [client.allowInsecureRequests],
      })

    test.each([
      ['client_secret_basic', client.ClientSecretBasic],
      ['client_secret_post', client.ClientSecretPost],
    ])('gets a token by %s', async (name, method) => {
      const { clientId, clientSecret } = account.credential
      const config = await discover(clientId, method(clientSecret))
      expect(config.serverMetadata().token_endpoint_auth_methods_supported).toContain(name)
      const answer = await client.clientCredentialsGrant(config, { scope: 'read' })
      expect([answer.token_type, answer.expires_in, answer.scope]).toEqual(['bearer', 1800, 'read'])
      expectToken(answer.access_token, clientId, 'read')

      const seen = await client.tokenIntrospection(config, answer.access_token)
      expect(seen).toMatchObject({ active: true, scope: 'read', client_id: clientId, token_type: 'Bearer' })
      await client.tokenRevocation(config, answer.access_token)
      expect(await client.tokenIntrospection(config, answer.access_token)).toEqual({ active: false })
    })

    test('gets a token by private_key_jwt, binds it to an origin, and revokes it', async () => {
      const config = await discover(
        signing.id,
        client.PrivateKeyJwt({ key: signing.key.privateKey, kid: signing.kid }),
      )
      const answer = await client.clientCredentialsGrant(config, {
        origin: SITE,
        ip: '192.0.2.7,2001:db8::/32',
      })
      expectToken(answer.access_token, signing.id, 'read write')
      const { origin, ip } = payloadOf(answer.access_token)
      expect({ origin, ip }).toEqual({ origin: SITE, ip: ['192.0.2.7', '2001:db8::/32'] })
      const seen = await client.tokenIntrospection(config, answer.access_token)
      expect(seen).toMatchObject({ active: true, origin: SITE, sub: account.account.id })
      await client.tokenRevocation(config, answer.access_token)
      expect(await client.tokenIntrospection(config, answer.access_token)).toEqual({ active: false })
    })

    test('gets the error codes of RFC 6749', async () => {
      const { clientId, clientSecret } = account.credential
      const right = await discover(clientId, client.ClientSecretBasic(clientSecret))
      const wrong = await discover(clientId, client.ClientSecretBasic(`${clientSecret}x`))
      const fault = (config: client.Configuration, parameters: Record<string, string>) =>
        client.clientCredentialsGrant(config, parameters).then(
          () => 'none',
          (error: client.ResponseBodyError | client.WWWAuthenticateChallengeError) =>
            'error' in error ? `${error.status} ${error.error}` : `${error.status} ${error.cause[0]?.scheme}`,
        )
      expect(await fault(wrong, {})).toMatch(/^401 (invalid_client|basic)$/)
      expect(await fault(right, { scope: 'admin' })).toBe('400 invalid_scope')
      expect(await fault(right, { origin: 'https://evil.example' })).toBe('400 invalid_target')
      expect(await fault(right, { origin: '*' })).toBe('400 invalid_request')
    })
  })

  test('oauth4webapi gets a token, and as a resource server accepts it', async () => {
    const as = await oauth.processDiscoveryResponse(
      new URL(target.issuer),
      await oauth.discoveryRequest(new URL(target.issuer), { algorithm: 'oauth2', ...insecure }),
    )
    const { clientId, clientSecret } = account.credential
    for (const [id, method] of [
      [clientId, oauth.ClientSecretBasic(clientSecret)],
      [clientId, oauth.ClientSecretPost(clientSecret)],
      [signing.id, oauth.PrivateKeyJwt({ key: signing.key.privateKey, kid: signing.kid })],
    ] as const) {
      const asked = await oauth.clientCredentialsGrantRequest(
        as,
        { client_id: id },
        method,
        { scope: 'write' },
        insecure,
      )
      const answer = await oauth.processClientCredentialsResponse(as, { client_id: id }, asked)
      const request = new Request('https://api.example/things', {
        headers: { authorization: `Bearer ${answer.access_token}` },
      })
      const claims = await oauth.validateJwtAccessToken(as, request, target.issuer, insecure)
      expect(claims).toMatchObject({ client_id: id, sub: account.account.id, scope: 'write' })
    }
  })

  test.each(['header', 'body'] as const)(
    'simple-oauth2 gets a token with the secret in the %s',
    async (authorizationMethod) => {
      const { clientId, clientSecret } = account.credential
      const flow = new ClientCredentials({
        client: { id: clientId, secret: clientSecret },
        auth: { tokenHost: target.issuer, tokenPath: '/oauth/token', revokePath: '/oauth/revoke' },
        options: { authorizationMethod, bodyFormat: 'form' },
      })
      const { token, expired } = await flow.getToken({ scope: 'read write' })
      expect([token.token_type, token.expires_in, token.scope]).toEqual(['Bearer', 1800, 'read write'])
      expectToken(String(token.access_token), clientId, 'read write')
      expect(typeof expired).toBe('function')
    },
  )

  async function accessToken(): Promise<string> {
    const { clientId, clientSecret } = account.credential
    const answer = await target.send({
      method: 'POST',
      path: '/oauth/token',
      headers: {
        authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'grant_type=client_credentials&scope=read',
    })
    expect(answer.status, answer.text).toBe(200)
    return answer.json().access_token
  }

  test('express-oauth2-jwt-bearer accepts the token, with only the metadata to find the keys', async () => {
    const app = express()
    app.use(
      auth({ issuerBaseURL: target.issuer, audience: target.issuer, tokenSigningAlg: alg, strict: true }),
    )
    app.get('/', (request, response) => void response.json(request.auth?.payload))
    app.use(((error, _request, response, _next) => {
      response.status(error.status ?? 500).json({ message: error.message })
    }) as express.ErrorRequestHandler)
    const server = app.listen(0, '127.0.0.1')
    try {
      await new Promise((resolve) => server.once('listening', resolve))
      const { port } = server.address() as { port: number }
      const ask = (token: string) =>
        fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${token}` } })
      const token = await accessToken()
      const answer = await ask(token)
      const body = (await answer.json()) as Json
      expect(answer.status, JSON.stringify(body)).toBe(200)
      expect(body).toMatchObject({ sub: account.account.id, scope: 'read' })
      const [head, payload] = token.split('.')
      expect((await ask(`${head}.${payload}.${'A'.repeat(86)}`)).status).toBe(401)
    } finally {
      server.close()
    }
  })

  test('aws-jwt-verify accepts the token', async () => {
    const verifier = JwtVerifier.create({
      issuer: target.issuer,
      audience: target.issuer,
      jwksUri: 'https://jwks.invalid/',
    })
    // This library fetches only over https, so the test passes the JWK Set to it.
    verifier.cacheJwks(
      (await (await fetch(`${target.issuer}/.well-known/jwks.json`)).json()) as Parameters<
        typeof verifier.cacheJwks
      >[0],
    )
    expect(await verifier.verify(await accessToken())).toMatchObject({
      sub: account.account.id,
      scope: 'read',
    })
  })
})
