// The client-token endpoint with a real issuer behind it: who may have a token, and what it is bound to.

import { describe, expect, test, vi } from 'vitest'
import { createClaimClient, createClientTokenEndpoint } from '../../../src/client/backend/index.ts'
import type { Json } from '../../support/wire.ts'
import { payloadOf, SITE } from '../../support/world.ts'
import { API, JKT, useWorld, whoami } from './issuer.ts'
import {
  APP,
  type Asked,
  ask as askPage,
  good as goodPage,
  LOCAL,
  type Options,
  problem as problemPage,
  STRANGER,
  URI,
  WILD,
} from './page.ts'

const world = useWorld()

const ask = (options?: Options, asked?: Asked): Promise<Response> => askPage(world(), options, asked)
const good = (answer: Response): Promise<Json> => goodPage(world(), answer)
const problem = (answer: Response, status: number, code: string): Promise<Json> =>
  problemPage(world(), answer, status, code)

describe('a token', () => {
  test('comes with what the page needs to use it, and works from that page only', async () => {
    const answer = await good(await ask())
    const { clientId, issuer } = world()
    expect(answer).toEqual({
      token: expect.any(String),
      expiresIn: expect.any(Number),
      tokenType: 'Bearer',
      config: { baseUrl: API, issuer, clientId, clientTokenUri: '/api/client-token' },
    })
    expect(await whoami(world(), answer.token, SITE)).toMatchObject({
      origin: SITE,
      ip: null,
      keyBound: false,
    })
  })

  test.each([
    ['the default', {}, 1800],
    ['what was asked for', { expiresIn: 60 }, 60],
  ])('tells its true remaining life: %s', async (_, options, life) => {
    const { token, expiresIn } = await good(await ask(options))
    const { exp, iat } = payloadOf(token)
    expect(exp - iat).toBe(life)
    expect(Number.isInteger(expiresIn)).toBe(true)
    expect(Math.abs(exp - Date.now() / 1000 - expiresIn)).toBeLessThan(2)
    expect(expiresIn).toBeLessThan(life)
  })

  test('holds the scope of the options, whatever the page sends', async () => {
    const body = JSON.stringify({
      scope: 'write',
      origin: STRANGER,
      expiresIn: 86_400,
      ip: '192.0.2.1',
      IP: 1,
    })
    const { token } = await good(
      await ask({ scope: 'read', expiresIn: 60 }, { body, headers: { origin: SITE } }),
    )
    const { scope, origin, ip, exp, iat } = payloadOf(token)
    expect([scope, origin, ip, exp - iat]).toEqual(['read', SITE, undefined, 60])
  })

  test.each([
    ['without config', { includeConfig: false, baseUrl: undefined }, undefined],
    ['with another URI of the endpoint', { clientTokenUri: '/x' }, '/x'],
  ])('%s', async (_, options, uri) => {
    expect((await good(await ask(options))).config?.clientTokenUri).toBe(uri)
  })
})

describe('the key of a page', () => {
  const send = (body: Asked['body'], type = 'application/json'): Promise<Response> =>
    ask({}, { headers: { origin: SITE, 'content-type': type }, ...(body !== undefined && { body }) })

  test.each(['application/json', 'text/plain;charset=UTF-8'])('is bound, sent as %s', async (type) => {
    const { token, tokenType } = await good(await send(JSON.stringify({ jkt: JKT, more: 1 }), type))
    expect([tokenType, payloadOf(token).cnf]).toEqual(['DPoP', { jkt: JKT }])
  })

  test.each([
    ['nothing', undefined],
    ['an empty body', ''],
    ['an empty object', '{}'],
    ['null', '{"jkt":null}'],
  ])('%s names none', async (_, body) => {
    const { token, tokenType } = await good(await send(body))
    expect([tokenType, payloadOf(token).cnf]).toEqual(['Bearer', undefined])
  })

  test.each([
    ['malformed', '{"jkt":', 400],
    ['no object', `["${JKT}"]`, 400],
    ['text', '"x"', 400],
    ['null', 'null', 400],
    ['a form', `jkt=${JKT}`, 400],
    ['the name twice', `{"jkt":"${JKT}","jkt":null}`, 400],
    ['no UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 400],
    ['an empty one', '{"jkt":""}', 422],
    ['another length', `{"jkt":"${JKT}A"}`, 422],
    ['unused bits set', `{"jkt":"${JKT.slice(0, -1)}t"}`, 422],
    ['a list', `{"jkt":["${JKT}"]}`, 422],
    ['false', '{"jkt":false}', 422],
  ])('a body that is wrong is no body without a key: %s', async (_, body, status) => {
    const { errors } = await problem(await send(body), status, 'invalid_request')
    expect(errors).toEqual(status === 422 ? [{ parameter: 'jkt', message: expect.any(String) }] : undefined)
  })

  test('16384 bytes are read and one more is not, of a stream too', async () => {
    const full = `{"a":"${'x'.repeat(16_384 - 8)}"}`
    expect(full).toHaveLength(16_384)
    await good(await send(full))
    await problem(await send(`${full} `), 413, 'payload_too_large')
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1
        controller.enqueue(new Uint8Array(4096).fill(32))
      },
    })
    await problem(await send(endless), 413, 'payload_too_large')
    expect(pulled).toBeLessThan(10)
  })

  test('a body that breaks off is malformed', async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error('gone'))
      },
    })
    await problem(await send(broken), 400, 'invalid_request')
  })

  test('a body that somebody else has read is a fault of the site, told to it and not passed over', async () => {
    const onError = vi.fn()
    const { issuer, token } = world()
    const client = createClaimClient({ issuer, token })
    const endpoint = createClientTokenEndpoint(client, { authenticate: 'public', baseUrl: API, onError })
    const request = new Request(URI, { method: 'POST', headers: { origin: SITE }, body: '{}' })
    await request.json()
    const { requestId } = await problem(await endpoint(request), 500, 'internal')
    expect(onError).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ message: expect.stringMatching(/body was read/) }),
      requestId,
    )
  })
})

describe('methods', () => {
  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'])('%s is none of them', async (method) => {
    const answer = await ask({}, { method })
    expect(answer.headers.get('allow')).toBe('POST, OPTIONS')
    await problem(answer, 405, 'method_not_allowed')
  })

  test('GET with allowGet is answered like POST, HEAD is not', async () => {
    const { token } = await good(await ask({ allowGet: true }, { method: 'GET' }))
    expect(payloadOf(token).origin).toBe(SITE)
    await good(await ask({ allowGet: true }))
    const head = await ask({ allowGet: true }, { method: 'HEAD' })
    expect([head.status, head.headers.get('allow')]).toEqual([405, 'GET, POST, OPTIONS'])
  })
})

describe('origins', () => {
  const same = { 'sec-fetch-site': 'same-origin' }
  const cross = { 'sec-fetch-site': 'cross-site' }
  const own = { origin: SITE, allowGet: true }
  const none = { allowedOrigins: undefined }

  test.each<[string, Options, Asked, string | undefined]>([
    ['a listed one', {}, { headers: { origin: SITE } }, SITE],
    ['one below a wildcard', {}, { headers: { origin: WILD } }, WILD],
    ['a local one', {}, { headers: { origin: LOCAL } }, LOCAL],
    ["an app's", {}, { headers: { origin: APP } }, APP],
    ['a stranger', {}, { headers: { origin: STRANGER } }, undefined],
    ['none', {}, { headers: {} }, undefined],
    ['an empty one', {}, { headers: { origin: '' } }, undefined],
    ['null', {}, { headers: { origin: 'null' } }, undefined],
    ['another scheme', {}, { headers: { origin: SITE.replace('https', 'http') } }, undefined],
    ['another spelling', {}, { headers: { origin: SITE.toUpperCase() } }, undefined],
    ['a slash after it', {}, { headers: { origin: `${SITE}/` } }, undefined],
    ['a listed one as the head of another', {}, { headers: { origin: `${SITE}.evil.example` } }, undefined],
    ['two of them', {}, { headers: { origin: `${SITE}, ${SITE}` } }, undefined],
    ['a same-origin GET', own, { method: 'GET', headers: same }, SITE],
    ['the same where the site is not known', { allowGet: true }, { method: 'GET', headers: same }, undefined],
    ['a GET from a bookmark', own, { method: 'GET', headers: { 'sec-fetch-site': 'none' } }, undefined],
    ['a GET of another site without Origin', own, { method: 'GET', headers: cross }, undefined],
    ['a GET of who knows whom', own, { method: 'GET', headers: {} }, undefined],
    ['a POST without Origin, which no browser sends', own, { headers: same }, undefined],
    [
      "the site's own beside the list",
      { origin: SITE, allowedOrigins: [WILD] },
      { headers: { origin: SITE } },
      SITE,
    ],
    [
      'a stranger where only the own is known',
      { ...none, origin: SITE },
      { headers: { origin: LOCAL } },
      undefined,
    ],
    ['without a list, what the account allows', none, { headers: { origin: SITE } }, SITE],
    ['the same in a browser that tells', none, { headers: { origin: SITE, ...same } }, SITE],
    ['another site of the account', none, { headers: { origin: SITE, ...cross } }, undefined],
    ['without a list, what the account does not allow', none, { headers: { origin: STRANGER } }, undefined],
    ['without a list, null', none, { headers: { origin: 'null' } }, undefined],
    [
      'listed here, but not by the account',
      { allowedOrigins: [STRANGER] },
      { headers: { origin: STRANGER } },
      undefined,
    ],
  ])('%s', async (_, options, asked, bound) => {
    const answer = await ask(options, asked)
    if (bound === undefined) await problem(answer, 403, 'origin_not_allowed')
    else expect(payloadOf((await good(answer)).token).origin).toBe(bound)
  })

  test('the list of the client counts where the options have none', async () => {
    const { issuer, token } = world()
    const settings = { allowedOrigins: [WILD], baseUrl: API, clientTokenUri: '/here' }
    const client = createClaimClient({ issuer, token, ...settings })
    const from = (endpoint: (request: Request) => Promise<Response>, origin: string) =>
      endpoint(new Request(URI, { method: 'POST', headers: { origin } }))
    const theirs = createClientTokenEndpoint(client, { authenticate: 'public' })
    expect((await good(await from(theirs, WILD))).config).toMatchObject({
      baseUrl: API,
      clientTokenUri: '/here',
    })
    await problem(await from(theirs, SITE), 403, 'origin_not_allowed')
    const spread = { issuer, token, ...settings, authenticate: 'public' as const, allowedOrigins: [SITE] }
    const ours = createClientTokenEndpoint(client, spread)
    await good(await from(ours, SITE))
    await problem(await from(ours, WILD), 403, 'origin_not_allowed')
  })
})
