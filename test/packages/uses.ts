// Small programs that use the packed packages, as plain JavaScript for old versions of Node. `load` is import or require.

/** The text of a program that prints `ok` when none of its checks throws. */
export function toScript(way: 'import' | 'require', use: string): string {
  const load =
    way === 'import'
      ? `import assert from 'node:assert/strict'\nconst load = (name) => import(name)`
      : `const assert = require('node:assert/strict')\nconst load = (name) => require(name)`
  return `${load}
async function main() {
  ${use}
  console.log('ok')
}
main().catch((error) => { console.error(error); process.exit(1) })
`
}

/** Verifies a token alone, in Hono and with node:http. `verify` is what follows the package's name for the verifier. */
export const verifyUse = (name: string, verify: string): string => `
  const { createHmac } = await load('node:crypto')
  const { createServer } = await load('node:http')
  const secret = 'a secret of thirty-two bytes or more'
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const who = { iss: 'https://a.example', aud: 'https://a.example', sub: 'acct_1', client_id: 'c', jti: 'j' }
  const signed = encode({ alg: 'HS256', typ: 'at+jwt' }) + '.' +
    encode({ ...who, iat: now, exp: now + 600, origin: 'https://shop.example.org' })
  const token = signed + '.' + createHmac('sha256', secret).update(signed).digest('base64url')
  const headers = { origin: 'https://shop.example.org', authorization: 'Bearer ' + token }
  const options = { issuer: who.iss, audience: who.aud, secret }

  const { createVerifier, ClaimError } = await load('${name}${verify}')
  const verifier = createVerifier(options)
  assert.equal((await verifier.verify({ headers, method: 'GET', url: 'https://api.example.com/' })).sub, 'acct_1')
  const wrong = { headers: { ...headers, origin: 'https://evil.example' }, method: 'GET', url: 'https://api.example.com/' }
  const error = await verifier.verify(wrong).catch((thrown) => thrown)
  assert.ok(error instanceof ClaimError)
  assert.equal(error.code, 'origin_mismatch')
  const errors = await load('${name}/errors')
  assert.equal(errors.ClaimError, ClaimError)
  assert.ok(errors.claimErrorCodes.includes('origin_mismatch'))

  const { Hono } = await load('hono')
  const hono = await load('${name}/hono')
  const app = new Hono()
  app.use('*', hono.claimAuth(options))
  app.get('/', (c) => c.text(c.var.claims.sub))
  assert.equal(await (await app.request('/', { headers })).text(), 'acct_1')
  assert.equal((await app.request('/')).status, 401)

  const node = await load('${name}/node')
  const auth = node.claimAuth(options)
  const server = createServer((request, response) =>
    auth(request, response, () => response.end(node.claimsOf(request).sub)))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const answer = await fetch('http://127.0.0.1:' + server.address().port, { headers })
  assert.equal(await answer.text(), 'acct_1')
  server.closeAllConnections()
  server.close()

  assert.equal(typeof (await load('${name}/fastify')).claimAuth, 'function')`

/** Asks a stand-in for the issuer, which refuses; loads the browser client, which works in browsers only. */
export const clientUse = (name: string): string => `
  const { createServer } = await load('node:http')
  const server = createServer((request, response) => {
    response.writeHead(401, { 'content-type': 'application/problem+json' })
    response.end('{ "error": "unauthorized", "detail": "unknown" }')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = 'http://127.0.0.1:' + server.address().port
  const { ClaimRequestError, createClaimClient } = await load('${name}/backend')
  const client = createClaimClient({ issuer, clientId: 'an-id', clientSecret: 'a-secret' })
  const error = await client.claim({ origin: 'https://shop.example.org' }).catch((thrown) => thrown)
  assert.ok(error instanceof ClaimRequestError)
  assert.equal(error.code, 'unauthorized')
  assert.equal((await load('${name}/errors')).ClaimRequestError, ClaimRequestError)
  server.closeAllConnections()
  server.close()

  const { createTokenSource } = await load('${name}/browser')
  assert.throws(() => createTokenSource({ clientTokenUri: 'https://shop.example.org/t' }), /browsers only/)`

/** Opens an issuer with a database in a file, and claims a token from it. */
export const serviceUse = `
  const { mkdtempSync, rmSync } = await load('node:fs')
  const folder = mkdtempSync('service-')
  const { openService } = await load('claimgate/server')
  const admin = 'an-admin-token-of-at-least-thirty-two-characters'
  const service = await openService({
    CLAIMGATE_ISSUER: 'https://a.example',
    CLAIMGATE_ADMIN_TOKEN: admin,
    CLAIMGATE_LOG: 'silent',
    DATABASE_URL: 'sqlite:' + folder + '/a.db',
    CLAIMGATE_KEYS_DIR: folder + '/keys',
  })
  const post = async (path, body, secret) => {
    const headers = { 'content-type': 'application/json', authorization: 'Bearer ' + secret }
    const request = new Request('https://a.example' + path, { method: 'POST', headers, body: JSON.stringify(body) })
    return (await service.fetch(request, { ip: '127.0.0.1' })).json()
  }
  const account = { name: 'a', allowedOrigins: ['https://shop.example.org'] }
  const { credential } = await post('/admin/accounts', account, admin)
  const claimed = await post('/auth/claim', { origin: 'https://shop.example.org' }, credential.token)
  assert.equal(claimed.tokenType, 'Bearer')
  const headers = { origin: 'https://shop.example.org', authorization: 'Bearer ' + claimed.token }
  const answer = await service.fetch(new Request('https://a.example/auth/whoami', { headers }))
  assert.equal(answer.status, 200)
  await service.close()
  rmSync(folder, { recursive: true })`
