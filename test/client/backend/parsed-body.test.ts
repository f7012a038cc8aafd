// A page asks for a token that is bound to its key, but other code may have read the body before the endpoint. The answer
// must be a token with that key, or no token.

import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import express4 from 'express4'
import createFastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  createClaimClient,
  createClientTokenEndpoint,
  createNodeClientTokenEndpoint,
} from '../../../src/client/backend/index.ts'
import { sendToSocket } from '../../support/wire.ts'
import { SITE } from '../../support/world.ts'
import { API, JKT, TOKEN, useSimulatedIssuer } from './issuer.ts'

const issuer = useSimulatedIssuer()
const onError = vi.fn()
beforeEach(() => {
  // Like the real issuer: the token type is DPoP when the token is bound to a key.
  issuer.reply = (_, response) => {
    const { jkt } = JSON.parse(issuer.asked.at(-1)?.body ?? '{}')
    response.end(JSON.stringify({ token: 'a.b.c', tokenType: jkt ? 'DPoP' : 'Bearer', expiresIn: 600 }))
  }
  issuer.asked.length = 0
  onError.mockReset()
})

const closing: (() => unknown)[] = []
afterAll(() => Promise.all(closing.map((close) => close())))

const options = { authenticate: 'public', baseUrl: API, allowedOrigins: [SITE], onError } as const
const client = () => createClaimClient({ issuer: issuer.url, token: TOKEN })
const createNode = () => createNodeClientTokenEndpoint(client(), options)
const createWeb = () => createClientTokenEndpoint(client(), options)

const KEY = JSON.stringify({ jkt: JKT })
const TYPES = { json: 'application/json', text: 'text/plain', form: 'application/x-www-form-urlencoded' }

interface Sent {
  readonly body?: string
  readonly type?: string
  readonly chunked?: boolean
}

/** Status and token type, or status and error code, that a page gets from a server. */
async function askServer(listener: RequestListener, { body, type, chunked = false }: Sent): Promise<string> {
  const server: Server = createServer(listener)
  closing.push(() => server.close().closeAllConnections())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return askUrl(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    chunked,
    ...(body !== undefined && { body }),
    ...(type !== undefined && { type }),
  })
}

async function askUrl(url: string, { body, type, chunked = false }: Sent): Promise<string> {
  const headers = { origin: SITE, ...(type !== undefined && { 'content-type': type }) }
  const wire = { method: 'POST', path: '/', headers, chunked, ...(body !== undefined && { body }) }
  const seen = await sendToSocket(url, wire)
  return `${seen.status} ${seen.json().tokenType ?? seen.json().error}`
}

const WITH_KEY = '200 DPoP'
const WITHOUT_KEY = '200 Bearer'
const FAULT = '500 internal'

/** A parser that reads the whole body and puts this value into `request.body`. */
const reading =
  (body: (text: string) => unknown): RequestListener =>
  async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const parsed = body(text)
    await createNode()(parsed === undefined ? request : Object.assign(request, { body: parsed }), response)
  }

/** A parser that does not read the body and puts this value into `request.body`. */
const leaving =
  (body: unknown): RequestListener =>
  (request, response) =>
    createNode()(Object.assign(request, { body }), response)

describe('a parser that did not read the body', () => {
  test.each<[string, unknown]>([
    ['an empty object', {}],
    ['a member from another middleware', { user: 'ada' }],
    ['null', null],
    ['empty text', ''],
    ['an empty buffer', Buffer.alloc(0)],
    ['another key', { jkt: 'B'.repeat(43) }],
  ])('and left %s: the body is read', async (_, body) => {
    for (const chunked of [false, true]) {
      expect(await askServer(leaving(body), { body: KEY, type: TYPES.json, chunked })).toBe(WITH_KEY)
    }
    expect(issuer.asked.map(({ body: asked }) => JSON.parse(asked).jkt)).toEqual([JKT, JKT])
    expect(onError).not.toHaveBeenCalled()
  })

  test.each([{}, null, undefined])(
    'because there is none, and left %j: a token without a key',
    async (body) => {
      expect(await askServer(leaving(body), {})).toBe(WITHOUT_KEY)
    },
  )

  test('but left an object: it is used when the request has no body', async () => {
    expect(await askServer(leaving({ jkt: JKT }), {})).toBe(WITH_KEY)
  })

  test('but made the stream decode it to text: the body is read', async () => {
    const decoding: RequestListener = (request, response) => {
      request.setEncoding('utf8')
      return createNode()(request, response)
    }
    expect(await askServer(decoding, { body: KEY })).toBe(WITH_KEY)
  })
})

describe('a parser that read the body', () => {
  test.each<[string, (text: string) => unknown]>([
    ['an object', (text) => JSON.parse(text)],
    ['an object without prototype', (text) => Object.assign(Object.create(null), JSON.parse(text))],
    ['text', (text) => text],
    ['bytes', (text) => Buffer.from(text)],
  ])('and left it as %s: a token with the key', async (_, body) => {
    expect(await askServer(reading(body), { body: KEY })).toBe(WITH_KEY)
    expect(await askServer(reading(body), { body: KEY, chunked: true })).toBe(WITH_KEY)
  })

  test.each<[string, unknown]>([
    ['an empty object', {}],
    ['an empty object without prototype', Object.create(null)],
    ['an object whose members cannot be listed', new URLSearchParams(`jkt=${JKT}`)],
    ['empty text', ''],
    ['an empty buffer', Buffer.alloc(0)],
    ['nothing', undefined],
  ])('and left %s: 500, and onError gets the reason', async (_, body) => {
    for (const chunked of [false, true]) {
      expect(
        await askServer(
          reading(() => body),
          { body: KEY, type: TYPES.json, chunked },
        ),
      ).toBe(FAULT)
    }
    expect(issuer.asked).toEqual([])
    expect(onError).toHaveBeenCalledTimes(2)
    expect(onError.mock.calls[0]?.[0].message).toContain('request.body')
  })

  test.each<[string, unknown, string]>([
    ['a list', [JKT], '400 invalid_request'],
    ['false', false, '400 invalid_request'],
    ['null', null, '400 invalid_request'],
    ['text over the limit', ' '.repeat(16_385), '413 payload_too_large'],
  ])('and left %s', async (_, body, answer) => {
    expect(
      await askServer(
        reading(() => body),
        { body: KEY },
      ),
    ).toBe(answer)
  })

  test.each<[string, Sent, string]>([
    ['that was {}', { body: '{}' }, WITHOUT_KEY],
    ['that was empty', { body: '' }, WITHOUT_KEY],
    ['that was empty and chunked', { body: '', chunked: true }, WITHOUT_KEY],
    ['that was longer', { body: '{"k":1}' }, FAULT],
    ['of unknown length', { body: '{}', chunked: true }, FAULT],
  ])('and left an empty object for one %s', async (_, sent, answer) => {
    expect(
      await askServer(
        reading(() => ({})),
        sent,
      ),
    ).toBe(answer)
  })
})

/** An app of Express 5 with these parsers; by default with the JSON parser. */
const withExpress5 = (...parsers: readonly express.RequestHandler[]): RequestListener =>
  express()
    .use(...(parsers.length > 0 ? parsers : [express.json()]))
    .post('/', createNode())
/** An app of Express 4 with these parsers. */
const withExpress4 = (...parsers: readonly express.RequestHandler[]): RequestListener =>
  express4()
    .use(...parsers)
    .post('/', createNode())
/** Like a parser of uploads: reads everything and keeps only form fields. */
const readAll: express.RequestHandler = (request, _, next) => {
  request.body = {}
  ;(request as IncomingMessage).resume().on('end', () => next())
}

describe('real parsers', () => {
  test.each<[string, () => RequestListener, Sent, string]>([
    ['express 5, JSON', () => withExpress5(), { body: KEY, type: TYPES.json }, WITH_KEY],
    [
      'express 5, text that it does not parse',
      () => withExpress5(),
      { body: KEY, type: TYPES.text },
      WITH_KEY,
    ],
    ['express 5, no type', () => withExpress5(), { body: KEY }, WITH_KEY],
    ['express 5, {}', () => withExpress5(), { body: '{}', type: TYPES.json }, WITHOUT_KEY],
    ['express 5, no body', () => withExpress5(), {}, WITHOUT_KEY],
    [
      'express 5, an empty chunked body',
      () => withExpress5(),
      { body: '', type: TYPES.json, chunked: true },
      WITHOUT_KEY,
    ],
    ['express 5, an upload parser', () => withExpress5(readAll), { body: KEY }, FAULT],
    ['express 4, JSON', () => withExpress4(express4.json()), { body: KEY, type: TYPES.json }, WITH_KEY],
    [
      'express 4, text that it does not parse',
      () => withExpress4(express4.json()),
      { body: KEY, type: TYPES.text },
      WITH_KEY,
    ],
    ['express 4, no type', () => withExpress4(express4.json()), { body: KEY }, WITH_KEY],
    [
      'express 4, chunked',
      () => withExpress4(express4.json()),
      { body: KEY, type: TYPES.text, chunked: true },
      WITH_KEY,
    ],
    ['express 4, {}', () => withExpress4(express4.json()), { body: '{}', type: TYPES.json }, WITHOUT_KEY],
    ['express 4, no body', () => withExpress4(express4.json()), {}, WITHOUT_KEY],
    [
      'express 4, an empty chunked body',
      () => withExpress4(express4.json()),
      { body: '', type: TYPES.json, chunked: true },
      WITHOUT_KEY,
    ],
    ['express 4, an upload parser', () => withExpress4(readAll), { body: KEY }, FAULT],
    [
      'express 4, a form',
      () => withExpress4(express4.urlencoded({ extended: false })),
      { body: `jkt=${JKT}`, type: TYPES.form },
      WITH_KEY,
    ],
    [
      'express 4, a form without fields',
      () => withExpress4(express4.urlencoded({ extended: false })),
      { body: '&'.repeat(60), type: TYPES.form },
      FAULT,
    ],
  ])('%s', async (_, create, sent, answer) => {
    expect(await askServer(create(), sent)).toBe(answer)
  })

  test.each<[string, Sent, string]>([
    ['JSON', { body: KEY, type: TYPES.json }, WITH_KEY],
    ['text', { body: KEY, type: TYPES.text }, WITH_KEY],
    ['{}', { body: '{}', type: TYPES.json }, WITHOUT_KEY],
    ['no body', {}, WITHOUT_KEY],
  ])('fastify, %s', async (_, sent, answer) => {
    const fastify = createFastify({ forceCloseConnections: true })
    closing.push(() => fastify.close())
    fastify.post('/', (request, reply) => {
      reply.hijack()
      return createNode()(Object.assign(request.raw, { body: request.body }), reply.raw)
    })
    expect(await askUrl(await fastify.listen({ port: 0, host: '127.0.0.1' }), sent)).toBe(answer)
  })
})

describe('a Request', () => {
  const ask = async (touch: (request: Request) => unknown, body = KEY): Promise<string> => {
    const request = new Request(SITE, { method: 'POST', headers: { origin: SITE }, body })
    await touch(request)
    const answer = await createWeb()(request)
    const { tokenType, error } = await answer.json()
    return `${answer.status} ${tokenType ?? error}`
  }

  test.each<[string, (request: Request) => unknown, string]>([
    ['that is unread', () => undefined, WITH_KEY],
    ['whose clone was read', (request) => request.clone().json(), WITH_KEY],
    ['that was read', (request) => request.json(), FAULT],
    ['that was partly read', (request) => request.body?.getReader().read(), FAULT],
    ['with a locked body', (request) => request.body?.getReader(), FAULT],
  ])('%s', async (_, touch, answer) => {
    expect(await ask(touch)).toBe(answer)
    expect(onError).toHaveBeenCalledTimes(answer === FAULT ? 1 : 0)
  })

  test('that a Hono middleware has read, on Node', async () => {
    const app = new Hono()
      .use('/read', async (c, next) => {
        await c.req.json()
        await next()
      })
      .post('/:any', (c) => createWeb()(c.req.raw))
    const listener = getRequestListener(app.fetch)
    const rewrite =
      (path: string): RequestListener =>
      (request, response) => {
        request.url = path
        return listener(request, response)
      }
    expect(await askServer(rewrite('/whole'), { body: KEY, type: TYPES.json })).toBe(WITH_KEY)
    expect(await askServer(rewrite('/read'), { body: KEY, type: TYPES.json })).toBe(FAULT)
  })
})
