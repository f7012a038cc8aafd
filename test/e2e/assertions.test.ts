// An assertion works once across all servers on one database, before and after a restart.

import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import { expect, test } from 'vitest'
import { admin } from '../support/admin-api.ts'
import { asserting, FORM_TYPE, formOf } from '../support/oauth-wire.ts'
import { useServers } from '../support/server.ts'

const servers = useServers()
const ISSUER = 'https://issuer.example'

async function sign(clientId: string, key: KeyObject): Promise<string> {
  return new SignJWT({ jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256' })
    .setIssuer(clientId)
    .setSubject(clientId)
    .setAudience(ISSUER)
    .setIssuedAt()
    .setExpirationTime('4m')
    .sign(key)
}

async function present(url: string, assertion: string): Promise<number> {
  const body = formOf(asserting(assertion, { grant_type: 'client_credentials' }))
  const answer = await fetch(`${url}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': FORM_TYPE },
    body,
  })
  await answer.arrayBuffer()
  return answer.status
}

test('two servers on one file and a restart: each assertion gives one token', async () => {
  const options = { dir: servers.makeFolder(), env: { CLAIMGATE_ISSUER: ISSUER } }
  const first = await servers.start(options)
  const second = await servers.start(options)
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const account = await admin(first.url, 'POST', '/accounts', {
    body: { name: 'Signer', allowedOrigins: ['https://signer.example'] },
    status: 201,
  })
  const { credential } = await admin(first.url, 'POST', `/accounts/${account.account.id}/credentials`, {
    body: { jwks: { keys: [publicKey.export({ format: 'jwk' })] } },
    status: 201,
  })
  const { clientId } = credential

  const early = await sign(clientId, privateKey)
  expect(await present(first.url, early)).toBe(200)
  expect(await present(second.url, early)).toBe(401)

  for (let round = 0; round < 5; round += 1) {
    const contested = await sign(clientId, privateKey)
    const urls = [first.url, second.url, first.url, second.url]
    const statuses = await Promise.all(urls.map((url) => present(url, contested)))
    expect(statuses.sort()).toEqual([200, 401, 401, 401])
  }

  await first.stop()
  await second.stop()
  const restarted = await servers.start(options)
  expect(await present(restarted.url, early)).toBe(401)
  expect(await present(restarted.url, await sign(clientId, privateKey))).toBe(200)
}, 30_000)
