// Servers on Hono to compare with. `constant` always sends the same answer. `jose` is a simple issuer that signs with jose.
// The floors do the minimum of a claim: parse JSON, sign with claimgate's own signer, send JSON.

import { serve } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { generateKeyPair, SignJWT } from 'jose'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import type { SignatureAlgorithm } from '../../src/claims/jws.ts'
import { createSigningKey } from '../../src/signing/make-keys.ts'

const ISSUER = 'http://127.0.0.1'
const LIFETIME_SECONDS = 1800

const answers: Readonly<Record<string, () => Promise<(context: Context) => Response | Promise<Response>>>> = {
  constant: async () => (context) => context.text('ok'),

  async jose() {
    const { privateKey } = await generateKeyPair('ES256')
    return async (context) => {
      const claims = buildClaims(await context.req.json())
      const token = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'ES256', kid: '1', typ: 'at+jwt' })
        .sign(privateKey)
      return context.json({ token, expiresIn: LIFETIME_SECONDS })
    }
  },

  'floor-ES256': () => createFloor('ES256'),
  'floor-HS256': () => createFloor('HS256'),
}

async function createFloor(alg: SignatureAlgorithm): Promise<(context: Context) => Promise<Response>> {
  const { jwk, kid } = await createSigningKey(alg, 'current', Date.now())
  const sign = await nodeCryptoEngine.loadSigner(jwk, alg, kid)
  return async (context) => {
    const claims = buildClaims(await context.req.json())
    const token = await sign(JSON.stringify(claims))
    return context.json({ token, expiresIn: LIFETIME_SECONDS })
  }
}

function buildClaims({ origin, ip }: { origin: string; ip: string }): Record<string, unknown> {
  const iat = Math.floor(Date.now() / 1000)
  const identity = { iss: ISSUER, aud: ISSUER, sub: 'acct_000000000000', client_id: '000000000000' }
  return { ...identity, jti: crypto.randomUUID(), iat, exp: iat + LIFETIME_SECONDS, origin, ip }
}

const answer = answers[process.argv[2] ?? '']
if (answer === undefined) throw new Error(`usage: peer-hono.ts ${Object.keys(answers).join(' | ')}`)
const app = new Hono().post('/auth/claim', await answer())
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => {
  console.log(JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${port}` }))
})
