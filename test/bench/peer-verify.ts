// The same API behind several verifiers, each set up as its documentation shows: GET /data answers `ok` to a valid token and
// 401 otherwise. Only claimgate also checks origin and address, and sends CORS headers. `constant` has no verifier. `lru` is
// the floor: it remembers verified tokens, and does not check a token again when it finds it there.

import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Hono, type MiddlewareHandler } from 'hono'
import { AUDIENCE, ISSUER, KEYS_FILE, type Keys, ORIGIN } from './tokens.ts'

const keys: Keys = JSON.parse(readFileSync(KEYS_FILE, 'utf8'))
const rules = { issuer: ISSUER, audience: AUDIENCE }
const gateOptions = { ...rules, allowedOrigins: ['https://app.example.com', ORIGIN] }
const TYPE = 'at+jwt'

/** Each API imports only the libraries that it needs, so that the memory of the servers can be compared. */
const apis: Readonly<Record<string, () => Promise<RequestListener>>> = {
  constant: async () => serveHono(new Hono()),

  async lru() {
    const { jwtVerify } = await import('jose')
    const { LRUCache } = await import('lru-cache')
    const known = new LRUCache<string, object>({ max: 10_000 })
    const secret = new TextEncoder().encode(keys.secret)
    return guardHono(async function remember(context, next) {
      const token = context.req.header('authorization')?.slice('Bearer '.length) ?? ''
      let claims = known.get(token)
      if (claims === undefined) {
        const verified = await jwtVerify(token, secret, rules).catch(() => undefined)
        if (verified === undefined) return context.text('no', 401)
        claims = verified.payload
        known.set(token, claims)
      }
      context.set('claims', claims)
      return next()
    })
  },

  async 'claimgate-ES256'() {
    const { claimAuth } = await import('../../src/verify/middleware/hono.ts')
    return guardHono(claimAuth({ ...gateOptions, jwks: keys.jwks }))
  },

  async 'claimgate-HS256'() {
    const { claimAuth } = await import('../../src/verify/middleware/hono.ts')
    return guardHono(claimAuth({ ...gateOptions, secret: keys.secret }))
  },

  async 'claimgate-node'() {
    const { claimAuth } = await import('../../src/verify/middleware/node.ts')
    const auth = claimAuth({ ...gateOptions, jwks: keys.jwks })
    return (request, response) => auth(request, response, () => response.end('ok'))
  },

  async 'hono-jwt'() {
    const { jwt } = await import('hono/jwt')
    const verification = { iss: ISSUER, aud: AUDIENCE, typ: TYPE }
    return guardHono(jwt({ secret: keys.secret, alg: 'HS256', verification }))
  },

  async 'jose-HS256'() {
    const { jwtVerify } = await import('jose')
    const secret = new TextEncoder().encode(keys.secret)
    return guardHono(askJose((token) => jwtVerify(token, secret, { ...rules, typ: TYPE })))
  },

  async 'jose-ES256'() {
    const { createLocalJWKSet, jwtVerify } = await import('jose')
    const getKey = createLocalJWKSet({ keys: [...keys.jwks.keys] })
    return guardHono(askJose((token) => jwtVerify(token, getKey, { ...rules, typ: TYPE })))
  },

  async express() {
    const { default: express } = await import('express')
    const { default: jwt } = await import('jsonwebtoken')
    const app = express()
    app.use((request, response, next) => {
      const token = request.headers.authorization?.split(' ')[1] ?? ''
      try {
        Object.assign(request, {
          claims: jwt.verify(token, keys.secret, { ...rules, algorithms: ['HS256'] }),
        })
      } catch {
        response.sendStatus(401)
        return
      }
      next()
    })
    app.get('/data', (_request, response) => {
      response.send('ok')
    })
    return app as RequestListener
  },

  async fastify() {
    const { fastify } = await import('fastify')
    const { fastifyJwt } = await import('@fastify/jwt')
    const app = fastify()
    const verify = { algorithms: ['HS256' as const], allowedIss: ISSUER, allowedAud: AUDIENCE }
    await app.register(fastifyJwt, { secret: keys.secret, verify })
    app.addHook('onRequest', (request) => request.jwtVerify())
    app.get('/data', async () => 'ok')
    await app.ready()
    return app.routing
  },
}

function askJose(verify: (token: string) => Promise<{ payload: object }>): MiddlewareHandler {
  return async function checkToken(context, next) {
    const token = context.req.header('authorization')?.slice('Bearer '.length) ?? ''
    const verified = await verify(token).catch(() => undefined)
    if (verified === undefined) return context.text('no', 401)
    context.set('claims', verified.payload)
    return next()
  }
}

function guardHono(middleware: MiddlewareHandler): RequestListener {
  return serveHono(new Hono().use('/data', middleware))
}

function serveHono(app: Hono): RequestListener {
  app.get('/data', (context) => context.text('ok'))
  return getRequestListener(app.fetch)
}

const makeListener = apis[process.argv[2] ?? '']
if (makeListener === undefined) throw new Error(`usage: peer-verify.ts ${Object.keys(apis).join(' | ')}`)
const server = createServer(await makeListener())
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(JSON.stringify({ msg: 'listening', url: `http://127.0.0.1:${port}` }))
})
