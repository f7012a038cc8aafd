// Independent JWT libraries verify claimgate's tokens with the published JWK Set, and refuse altered ones: fast-jwt,
// jsonwebtoken with jwks-rsa, aws-jwt-verify. jose is not among them, because the service itself uses it.

import { createHash, createPublicKey, type JsonWebKey } from 'node:crypto'
import { JwtVerifier } from 'aws-jwt-verify'
import { createVerifier } from 'fast-jwt'
import jsonwebtoken from 'jsonwebtoken'
import JwksClient from 'jwks-rsa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServer } from '../support/server.ts'
import { type Json, sendToSocket } from '../support/wire.ts'
import { claimToken, createWorld, payloadOf, SITE, type World } from '../support/world.ts'

type Alg = 'ES256' | 'EdDSA'

/** Verifies a token with one library: resolves to its claims, or rejects. */
type Verify = (token: string, world: World) => Promise<Json>

async function fetchKeySet(world: World): Promise<{ keys: (JsonWebKey & { kid: string })[] }> {
  const response = await fetch(`${world.issuer}/.well-known/jwks.json`)
  expect(response.status).toBe(200)
  return (await response.json()) as Awaited<ReturnType<typeof fetchKeySet>>
}

const fastJwt =
  (alg: Alg): Verify =>
  async (token, world) => {
    const { keys } = await fetchKeySet(world)
    const verify = createVerifier({
      key: async ({ header }: { header: { kid?: string } }) => {
        const jwk = keys.find((key) => key.kid === header.kid)
        if (jwk === undefined) throw new Error('no such key')
        return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString()
      },
      algorithms: [alg],
      allowedIss: world.issuer,
      allowedAud: world.issuer,
      requiredClaims: ['exp', 'iat', 'jti', 'sub', 'client_id'],
      checkTyp: 'at+jwt',
    })
    return verify(token)
  }

const jwksRsa: Verify = async (token, world) => {
  const client = JwksClient({ jwksUri: `${world.issuer}/.well-known/jwks.json` })
  return new Promise((resolve, reject) => {
    jsonwebtoken.verify(
      token,
      ({ kid }, callback) =>
        client.getSigningKey(kid).then((key) => callback(null, key.getPublicKey()), callback),
      { algorithms: ['ES256'], issuer: world.issuer, audience: world.issuer },
      (error, claims) => (error ? reject(error) : resolve(claims)),
    )
  })
}

/** This library fetches over https only, so it gets the set directly. */
const awsJwtVerify: Verify = async (token, world) => {
  const verifier = JwtVerifier.create({
    issuer: world.issuer,
    audience: world.issuer,
    jwksUri: 'https://jwks.invalid/',
    scope: 'read',
  })
  verifier.cacheJwks((await fetchKeySet(world)) as Parameters<typeof verifier.cacheJwks>[0])
  return verifier.verify(token)
}

const libraries: Readonly<Record<Alg, readonly (readonly [string, Verify])[]>> = {
  ES256: [
    ['fast-jwt', fastJwt('ES256')],
    ['jsonwebtoken with jwks-rsa', jwksRsa],
    ['aws-jwt-verify', awsJwtVerify],
  ],
  EdDSA: [
    ['fast-jwt', fastJwt('EdDSA')],
    ['aws-jwt-verify', awsJwtVerify],
  ],
}

async function startWorld(alg: string): Promise<World> {
  const server = await startServer({ env: { CLAIMGATE_ALG: alg } })
  return createWorld({
    issuer: server.url,
    send: (request) => sendToSocket(server.url, request),
    stop: () => server.stop(),
  })
}

describe.each(['ES256', 'EdDSA'] as const)('%s', (alg) => {
  let world: World
  let token: string
  beforeAll(async () => {
    world = await startWorld(alg)
    token = await claimToken(world, { ip: ['127.0.0.1', '2001:db8::/32'], expiresIn: 60 })
  })
  afterAll(() => world?.stop())

  test.each(libraries[alg])('%s verifies the token with the published set', async (_, verify) => {
    const claims = await verify(token, world)
    expect(claims).toEqual(payloadOf(token))
    expect(claims).toMatchObject({ sub: world.accountId, origin: SITE, ip: ['127.0.0.1', '2001:db8::/32'] })
  })

  test.each(libraries[alg])('%s refuses an altered token', async (_, verify) => {
    const [header, , signature] = token.split('.')
    const payload = Buffer.from(JSON.stringify({ ...payloadOf(token), origin: 'https://evil.example' }))
    await expect(verify(`${header}.${payload.toString('base64url')}.${signature}`, world)).rejects.toThrow(
      /signature/i,
    )
  })

  test('each kid is the RFC 7638 thumbprint of its key', async () => {
    const { keys } = await fetchKeySet(world)
    expect(keys).toHaveLength(2)
    for (const { kty, crv, x, y, kid } of keys) {
      const required = kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x }
      expect(kid).toBe(createHash('sha256').update(JSON.stringify(required)).digest('base64url'))
    }
    const { kid } = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
    expect(keys.map((key) => key.kid)).toContain(kid)
  })

  test('the JWK Set has public members only', async () => {
    const expected = alg === 'ES256' ? { kty: 'EC', crv: 'P-256' } : { kty: 'OKP', crv: 'Ed25519' }
    for (const key of (await fetchKeySet(world)).keys) {
      expect(key).toMatchObject({ ...expected, alg, use: 'sig' })
      expect(Object.keys(key)).not.toContain('d')
      expect(Object.keys(key)).not.toContain('k')
    }
  })
})

describe('HS256', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld('HS256')
  })
  afterAll(() => world?.stop())

  test('publishes no key', async () => {
    const response = await fetch(`${world.issuer}/.well-known/jwks.json`)
    expect(await response.text()).toBe('{"keys":[]}')
  })

  test('the service itself accepts its tokens, and refuses altered ones', async () => {
    const token = await claimToken(world)
    const ask = (text: string) =>
      world.send({
        method: 'GET',
        path: '/auth/whoami',
        headers: { origin: SITE, authorization: `Bearer ${text}` },
      })
    expect((await ask(token)).status).toBe(200)
    expect((await ask(`${token.slice(0, -4)}AAAA`)).status).toBe(401)
  })
})
