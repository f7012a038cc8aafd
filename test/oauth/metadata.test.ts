// The path of the metadata of an issuer whose URL has a path (RFC 8414 section 3.1).

import { afterEach, expect, test } from 'vitest'
import { type OAuthService, startOAuth } from '../support/oauth-service.ts'

const PATH = '/.well-known/oauth-authorization-server'
let world: OAuthService
afterEach(() => world.stop())
const statusOf = async (path: string): Promise<number> => (await world.send({ method: 'GET', path })).status

test('the path of the issuer comes after the well-known path', async () => {
  world = await startOAuth({ CLAIMGATE_ISSUER: 'https://auth.example.com/tenants/:one' })
  const send = (path: string) => world.send({ method: 'GET', path })
  const answer = await send(`${PATH}/tenants/:one`)
  expect(answer.json()).toMatchObject({
    issuer: 'https://auth.example.com/tenants/:one',
    token_endpoint: 'https://auth.example.com/tenants/:one/oauth/token',
    jwks_uri: 'https://auth.example.com/tenants/:one/.well-known/jwks.json',
  })
  expect((await send(PATH)).json()).toEqual(answer.json())
  for (const path of [`${PATH}/tenants/other`, `${PATH}/tenants/:one/`, `${PATH}/tenants`, `${PATH}/`]) {
    expect((await send(path)).status, path).toBe(404)
  }
})

test('an issuer without a path: only the well-known path', async () => {
  world = await startOAuth()
  expect(await statusOf(PATH)).toBe(200)
  expect(await statusOf(`${PATH}?x=1`)).toBe(200)
  expect(await statusOf(`${PATH}/`)).toBe(404)
  expect(await statusOf(`${PATH}/oauth`)).toBe(404)
})
