// An independent DPoP client (oauth4webapi) gets key-bound tokens and uses them at the real server and at a separate verifier.
// Tokens and proofs that an attacker copies do not work.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimAuth } from '../../src/verify/middleware/node.ts'
import { admin, claim } from '../support/admin-api.ts'
import { type RunningServer, useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf, SITE } from '../support/world.ts'

const insecure = { [oauth.allowInsecureRequests]: true }
const { start } = useServers()

let issuer: RunningServer
let api: Server
let apiOrigin: string
let account: Json
let as: oauth.AuthorizationServer

beforeAll(async () => {
  issuer = await start({ env: { CLAIMGATE_TRUSTED_PROXIES: 'loopback' } })
  account = await admin(issuer.url, 'POST', '/accounts', {
    body: { name: 'Shop', allowedOrigins: [SITE], scopes: ['read'] },
    status: 201,
  })
  as = await oauth.processDiscoveryResponse(
    new URL(issuer.url),
    await oauth.discoveryRequest(new URL(issuer.url), { algorithm: 'oauth2', ...insecure }),
  )
  let guard: ReturnType<typeof claimAuth>
  api = createServer((request, response) =>
    guard(request, response, () => response.end(JSON.stringify((request as Json).claims))),
  )
  await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve))
  apiOrigin = `http://127.0.0.1:${(api.address() as AddressInfo).port}`
  guard = claimAuth({
    issuer: issuer.url,
    audience: issuer.url,
    jwksUri: `${issuer.url}/.well-known/jwks.json`,
    allowedOrigins: [SITE],
    apiOrigin,
  })
})
afterAll(() => new Promise<void>((resolve) => void (api?.close(() => resolve()) ?? resolve())))

describe.each(['ES256', 'Ed25519'] as const)('with a key for %s', (alg) => {
  let key: CryptoKeyPair
  let handle: oauth.DPoPHandle
  const client = () => ({ client_id: account.credential.clientId as string })

  beforeAll(async () => {
    key = await oauth.generateKeyPair(alg)
    handle = oauth.DPoP({}, key)
  })

  async function grant(): Promise<oauth.TokenEndpointResponse> {
    const method = oauth.ClientSecretBasic(account.credential.clientSecret)
    const asked = await oauth.clientCredentialsGrantRequest(
      as,
      client(),
      method,
      { origin: SITE },
      {
        DPoP: handle,
        ...insecure,
      },
    )
    return oauth.processClientCredentialsResponse(as, client(), asked)
  }

  /** Calls an API with the client. Resolves to the response, and to the headers that were sent. */
  async function call(
    url: string,
    token: string,
    proof = handle,
  ): Promise<{ response: Response; sent: Headers }> {
    let sent = new Headers()
    const asked = oauth.protectedResourceRequest(
      token,
      'GET',
      new URL(url),
      new Headers({ origin: SITE }),
      null,
      {
        DPoP: proof,
        ...insecure,
        [oauth.customFetch]: (to: string, init: Json) => {
          sent = new Headers(init.headers)
          return fetch(to, init)
        },
      },
    )
    const response = await asked.catch((error: oauth.WWWAuthenticateChallengeError) => error.response)
    return { response, sent }
  }

  const codeOf = async (response: Response) => `${response.status} ${((await response.json()) as Json).error}`

  test.each([
    ['the service', () => `${issuer.url}/auth/whoami`],
    ['a remote verifier', () => `${apiOrigin}/x?y=1`],
  ])(
    '%s accepts a key-bound token once for each proof, and refuses it as Bearer or with a proof by another key',
    async (_, urlOf) => {
      const answer = await grant()
      expect(answer.token_type).toBe('dpop')
      const token = answer.access_token
      const thumbprint = payloadOf(token).cnf.jkt
      expect(thumbprint).toMatch(/^[\w-]{43}$/)

      const { response, sent } = await call(urlOf(), token)
      expect(response.status, await response.clone().text()).toBe(200)
      const again = await fetch(urlOf(), { headers: sent })
      expect(await codeOf(again)).toBe('401 invalid_proof')
      expect(again.headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_dpop_proof"/)

      const thief = oauth.DPoP({}, await oauth.generateKeyPair(alg))
      expect(await codeOf((await call(urlOf(), token, thief)).response)).toBe('401 invalid_proof')
      const bare = { authorization: `Bearer ${token}`, origin: SITE }
      expect(await codeOf(await fetch(urlOf(), { headers: bare }))).toBe('401 proof_required')
      expect((await call(urlOf(), token)).response.status).toBe(200)
    },
  )

  test('a backend claims a token that is bound to a key in a browser', async () => {
    const jwk = await crypto.subtle.exportKey('jwk', key.publicKey)
    const members =
      alg === 'ES256'
        ? { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }
        : { crv: jwk.crv, kty: jwk.kty, x: jwk.x }
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(members)))
    const jkt = Buffer.from(digest).toString('base64url')
    const { token, tokenType } = await claim(issuer.url, account.credential.token, SITE, { jkt })
    expect(tokenType).toBe('DPoP')
    expect((await call(`${issuer.url}/auth/whoami`, token)).response.status).toBe(200)
    expect((await call(`${apiOrigin}/things/1`, token)).response.status).toBe(200)
  })
})

test('the token endpoint refuses an invalid proof', async () => {
  const { clientId, clientSecret } = account.credential
  const response = await fetch(`${issuer.url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}`, dpop: 'not.a.proof' },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  expect([response.status, ((await response.json()) as Json).error]).toEqual([400, 'invalid_dpop_proof'])
})

test('forward auth checks the proof of the original request', async () => {
  const handle = oauth.DPoP({}, await oauth.generateKeyPair('ES256'))
  const client = { client_id: account.credential.clientId as string }
  const asked = await oauth.clientCredentialsGrantRequest(
    as,
    client,
    oauth.ClientSecretBasic(account.credential.clientSecret),
    {},
    { DPoP: handle, ...insecure },
  )
  const { access_token: token } = await oauth.processClientCredentialsResponse(as, client, asked)
  const sent: Headers[] = []
  const collect = (url: string) =>
    oauth.protectedResourceRequest(token, 'POST', new URL(url), new Headers(), null, {
      DPoP: handle,
      ...insecure,
      [oauth.customFetch]: async (_to: string, init: Json) => {
        sent.push(new Headers(init.headers))
        return new Response()
      },
    })
  await collect('https://api.example.com/things?page=2')
  await collect('https://other.example.com/things')
  const ask = async (headers: Headers) => {
    const proxied = new Headers(headers)
    proxied.set('x-original-method', 'POST')
    proxied.set('x-original-uri', '/things?page=2')
    const url = `${issuer.url}/auth/verify?require=none&apiOrigin=https://api.example.com`
    const response = await fetch(url, { headers: proxied })
    return response.status === 200 ? '200' : `401 ${((await response.json()) as Json).error}`
  }
  const [right, elsewhere] = sent as [Headers, Headers]
  expect(await ask(elsewhere)).toBe('401 invalid_proof')
  expect(await ask(right)).toBe('200')
  expect(await ask(right)).toBe('401 invalid_proof')
})
