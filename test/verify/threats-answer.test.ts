// Answers of both middlewares to forged tokens, over HTTP: the same bytes for every fault of format, key or signature, and
// never a part of a token. Valid tokens keep working. Failures of the developer's functions neither let a request pass nor
// stop the server.

import { createHmac } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimAuth as honoAuth } from '../../src/verify/middleware/hono.ts'
import { type ClaimAuthOptions, claimAuth as nodeAuth } from '../../src/verify/middleware/node.ts'
import { bare, base64url, partsOf } from '../support/forge.ts'
import { createMint, type Mint, now, RULES, SITE } from '../support/mint.ts'
import { sendToFetch, sendToSocket, type WireAnswer } from '../support/wire.ts'

const ORIGIN = 'http://127.0.0.1'

/** A running API that a middleware protects. */
interface Api {
  ask(headers: Readonly<Record<string, string>>): Promise<WireAnswer>
  /** How often the handler has run. */
  served(): number
  stop(): Promise<void>
}

function startHono(options: ClaimAuthOptions): Api {
  let served = 0
  const app = new Hono()
  app.use('*', honoAuth(options))
  app.get('*', (context) => {
    served += 1
    return context.text('data')
  })
  return {
    ask: (headers) =>
      sendToFetch((request) => app.fetch(request), ORIGIN, { method: 'GET', path: '/', headers }),
    served: () => served,
    stop: async () => undefined,
  }
}

async function startNode(options: ClaimAuthOptions): Promise<Api> {
  let served = 0
  const auth = nodeAuth(options)
  const server: Server = createServer((request, response) =>
    auth(request, response, () => {
      served += 1
      response.end('data')
    }),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `${ORIGIN}:${(server.address() as AddressInfo).port}`
  return {
    ask: (headers) => sendToSocket(url, { method: 'GET', path: '/', headers }),
    served: () => served,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** An answer without its request id and date, to compare with others. */
function bareOf(answer: WireAnswer): string {
  answer.headers.delete('date')
  return bare(answer)
}

/** Texts that a verifier with this key must refuse. None has characters that HTTP would trim or split. */
function forgeries(mint: Mint, good: string): readonly string[] {
  const [header, payload, signature] = partsOf(good)
  const forger = createMint(mint.alg, mint.kid)
  const text = JSON.stringify({ ...mint.jwk, kid: undefined })
  const confused = `${base64url(mint.header({ alg: 'HS256' }))}.${payload}`
  return [
    ...['garbage', 'a.b.c', '...', '0', 'null', `${good}.`, `${good}${good}`, 'A'.repeat(5000)],
    ...Array.from({ length: good.length }, (_, length) => good.slice(0, length)).filter(
      (part) => part !== '',
    ),
    ...Array.from({ length: 60 }, (_, start) => good.slice(start + 1)),
    forger.token(),
    forger.token({ exp: now() - 1000, iat: now() - 2000 }),
    forger.token({ cnf: { jkt: 'A'.repeat(43) } }),
    forger.token({ origin: null }),
    forger.token({}, { kid: 'unknown' }),
    mint.token({}, { kid: 'unknown' }),
    mint.token({}, { typ: 'JWT' }),
    mint.token({}, { crit: ['exp'] }),
    `${base64url(mint.header({ alg: 'none' }))}.${payload}.`,
    `${base64url(mint.header({ alg: 'none' }))}.${payload}.${signature}`,
    `${confused}.${base64url(createHmac('sha256', text).update(confused).digest())}`,
    `${header}.${base64url(mint.payload({ sub: 'acct_2' }))}.${signature}`,
    `${header}.${payload}.${base64url(Buffer.alloc(64))}`,
  ]
}

describe.each(['Hono', 'node'] as const)('%s', (door) => {
  const start = (options: ClaimAuthOptions): Api | Promise<Api> =>
    door === 'Hono' ? startHono(options) : startNode(options)

  describe.each(['ES256', 'EdDSA', 'HS256'] as const)('%s', (alg) => {
    const mint = createMint(alg)
    const good = mint.token()
    let api: Api
    beforeAll(async () => {
      api = await start({ ...RULES, jwks: { keys: [mint.jwk] }, allowedOrigins: [SITE] })
    })
    afterAll(() => api.stop())
    const bearing = (token: string, origin = SITE) => api.ask({ authorization: `Bearer ${token}`, origin })

    test.each([SITE, 'https://evil.example', 'null'])(
      'forged, truncated and invented tokens get the same answer, from %s',
      async (origin) => {
        const garbage = await bearing('garbage', origin)
        expect(garbage.status).toBe(401)
        expect(garbage.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
        expect(garbage.json()).toMatchObject({ error: 'invalid_token', status: 401 })
        const expected = bareOf(garbage)
        for (const token of forgeries(mint, good)) {
          expect(bareOf(await bearing(token, origin)), token.slice(0, 200)).toBe(expected)
        }
        expect(api.served()).toBe(0)
      },
    )

    test('tokens in X-Client-Token get the same answer as each other too', async () => {
      const ask = (token: string) => api.ask({ 'x-client-token': token, origin: SITE })
      const expected = bareOf(await ask('garbage'))
      for (const token of forgeries(mint, good)) expect(bareOf(await ask(token))).toBe(expected)
    })

    test('no answer contains a part of a token, not even of a valid one', async () => {
      const refused = [
        good,
        mint.token({ iat: now() - 60, exp: now() - 30 }),
        mint.token({ origin: 'https://other.example' }),
      ]
      for (const token of [...refused, ...forgeries(mint, good)]) {
        const { headers, text } = await bearing(token, 'https://third.example')
        const answer = JSON.stringify([...headers]) + text
        for (const part of token.split('.').filter(({ length }) => length >= 16)) {
          expect(answer.includes(part.slice(0, 16))).toBe(false)
        }
        expect(answer).not.toMatch(/other\.example|www\.example/)
      }
    })

    test('a valid token passes also after a thousand invalid ones', async () => {
      for (let count = 0; count < 1000; count += 1) {
        const end = base64url(String(count).padStart(6, '0'))
        expect((await bearing(good.slice(0, -end.length) + end)).status).toBe(401)
      }
      const before = api.served()
      for (const token of [good, mint.token()]) expect((await bearing(token)).text).toBe('data')
      expect(api.served()).toBe(before + 2)
    })
  })

  describe('a function of the developer that fails', () => {
    const mint = createMint('ES256')
    const keys = { jwks: { keys: [mint.jwk] } } as const
    const fault = (): never => {
      throw new Error('a fault of the API')
    }

    test.each<[string, () => boolean | Promise<boolean>]>([
      ['throws', fault],
      ['rejects', async () => fault()],
    ])('allowedOrigins that %s allows nothing, and the request is answered', async (_, allowedOrigins) => {
      const api = await start({ ...RULES, ...keys, allowedOrigins, onError: () => undefined })
      try {
        const refused = await api.ask({ authorization: 'Bearer garbage', origin: SITE })
        expect(refused.status).toBe(401)
        expect(refused.headers.get('access-control-allow-origin')).toBe(null)
        const right = await api.ask({ authorization: `Bearer ${mint.token()}`, origin: SITE })
        expect([right.status, JSON.parse(right.text).error]).toEqual([403, 'origin_not_allowed'])
      } finally {
        await api.stop()
      }
    })

    test('authorize that throws or rejects refuses the request', async () => {
      for (const authorize of [fault, async () => fault()]) {
        const api = await start({ ...RULES, ...keys, cors: false, authorize })
        expect((await api.ask({ authorization: `Bearer ${mint.token()}`, origin: SITE })).status).toBe(403)
        expect(api.served()).toBe(0)
        await api.stop()
      }
    })

    test('onDecision that throws or rejects has no effect', async () => {
      const unhandled: unknown[] = []
      const hear = (reason: unknown): void => void unhandled.push(reason)
      process.on('unhandledRejection', hear)
      try {
        for (const onDecision of [fault, async () => fault()]) {
          const api = await start({ ...RULES, ...keys, cors: false, onDecision })
          expect((await api.ask({ authorization: `Bearer ${mint.token()}`, origin: SITE })).text).toBe('data')
          expect((await api.ask({ authorization: 'Bearer garbage' })).status).toBe(401)
          await api.stop()
        }
        // Node reports unhandled rejections when the microtask queue is empty.
        await new Promise((resolve) => setImmediate(resolve))
        expect(unhandled).toEqual([])
      } finally {
        process.off('unhandledRejection', hear)
      }
    })
  })
})
