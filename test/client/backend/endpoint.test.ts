// The client-token endpoint with a real issuer: which pages get a token, and what it is bound to.

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
  test('comes with the config that the page needs, and works only from that page', async () => {
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
    ['expiresIn', { expiresIn: 60 }, 60],
  ])('comes with its remaining lifetime: %s', async (_, options, life) => {
    const { token, expiresIn } = await good(await ask(options))
    const { exp, iat } = payloadOf(token)
    expect(exp - iat).toBe(life)
    expect(Number.isInteger(expiresIn)).toBe(true)
    expect(Math.abs(exp - Date.now() / 1000 - expiresIn)).toBeLessThan(2)
    expect(expiresIn).toBeLessThan(life)
  })

  test('has the scope and lifetime of the options, whatever the page sends', async () => {
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
    ['with the clientTokenUri of the options', { clientTokenUri: '/x' }, '/x'],
  ])('comes %s', async (_, options, uri) => {
    expect((await good(await ask(options))).config?.clientTokenUri).toBe(uri)
  })
})

describe('the thumbprint in the body', () => {
  const send = (body: Asked['body'], type = 'application/json'): Promise<Response> =>
    ask({}, { headers: { origin: SITE, 'content-type': type }, ...(body !== undefined && { body }) })

  test.each(['application/json', 'text/plain;charset=UTF-8'])(
    'binds the token to the key, sent as %s',
    async (type) => {
      const { token, tokenType } = await good(await send(JSON.stringify({ jkt: JKT, more: 1 }), type))
      expect([tokenType, payloadOf(token).cnf]).toEqual(['DPoP', { jkt: JKT }])
    },
  )

  test.each([
    ['no body', undefined],
    ['an empty body', ''],
    ['an empty object', '{}'],
    ['a jkt of null', '{"jkt":null}'],
  ])('%s gives a Bearer token', async (_, body) => {
    const { token, tokenType } = await good(await send(body))
    expect([tokenType, payloadOf(token).cnf]).toEqual(['Bearer', undefined])
  })

  test.each([
    ['malformed', '{"jkt":', 400],
    ['a list', `["${JKT}"]`, 400],
    ['text', '"x"', 400],
    ['null', 'null', 400],
    ['a form', `jkt=${JKT}`, 400],
    ['a repeated name', `{"jkt":"${JKT}","jkt":null}`, 400],
    ['invalid UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 400],
    ['an empty thumbprint', '{"jkt":""}', 422],
    ['a thumbprint of another length', `{"jkt":"${JKT}A"}`, 422],
    ['a thumbprint with unused bits set', `{"jkt":"${JKT.slice(0, -1)}t"}`, 422],
    ['a thumbprint in a list', `{"jkt":["${JKT}"]}`, 422],
    ['a thumbprint of false', '{"jkt":false}', 422],
  ])('an invalid body is refused, instead of giving a token without a key: %s', async (_, body, status) => {
    const { errors } = await problem(await send(body), status, 'invalid_request')
    expect(errors).toEqual(status === 422 ? [{ parameter: 'jkt', message: expect.any(String) }] : undefined)
  })

  test('a body may have 16384 bytes, and little more of a stream is read', async () => {
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

  test('a body whose connection breaks is refused as malformed', async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error('gone'))
      },
    })
    await problem(await send(broken), 400, 'invalid_request')
  })

  test('a body that other code has read gets 500, and onError gets the reason', async () => {
    const onError = vi.fn()
    const { issuer, token } = world()
    const client = createClaimClient({ issuer, token })
    const endpoint = createClientTokenEndpoint(client, { authenticate: 'public', baseUrl: API, onError })
    const request = new Request(URI, { method: 'POST', headers: { origin: SITE }, body: '{}' })
    await request.json()
    const { requestId } = await problem(await endpoint(request), 500, 'internal')
    expect(onError).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ message: expect.stringMatching(/already read the body/) }),
      { requestId },
    )
  })
})

describe('methods', () => {
  test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'])('%s is refused with 405', async (method) => {
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

describe('which origins get a token', () => {
  const same = { 'sec-fetch-site': 'same-origin' }
  const cross = { 'sec-fetch-site': 'cross-site' }
  const own = { origin: SITE, allowGet: true }
  const none = { allowedOrigins: undefined }

  test.each<[string, Options, Asked, string | undefined]>([
    ['a listed origin', {}, { headers: { origin: SITE } }, SITE],
    [
      'an origin that is listed with a slash',
      { allowedOrigins: [`${SITE}/`] },
      { headers: { origin: SITE } },
      SITE,
    ],
    ['a subdomain of a listed wildcard', {}, { headers: { origin: WILD } }, WILD],
    ['a port of localhost, listed as http://localhost:*', {}, { headers: { origin: LOCAL } }, LOCAL],
    ['the origin of an app', {}, { headers: { origin: APP } }, APP],
    ['an unlisted origin', {}, { headers: { origin: STRANGER } }, undefined],
    ['no origin', {}, { headers: {} }, undefined],
    ['an empty origin', {}, { headers: { origin: '' } }, undefined],
    ['null', {}, { headers: { origin: 'null' } }, undefined],
    ['another scheme', {}, { headers: { origin: SITE.replace('https', 'http') } }, undefined],
    ['upper case', {}, { headers: { origin: SITE.toUpperCase() } }, undefined],
    ['a slash at the end', {}, { headers: { origin: `${SITE}/` } }, undefined],
    ['a listed origin as a prefix', {}, { headers: { origin: `${SITE}.evil.example` } }, undefined],
    ['two origins', {}, { headers: { origin: `${SITE}, ${SITE}` } }, undefined],
    ['a same-origin GET', own, { method: 'GET', headers: same }, SITE],
    [
      'a same-origin GET without the option origin',
      { allowGet: true },
      { method: 'GET', headers: same },
      undefined,
    ],
    ['a GET from a bookmark', own, { method: 'GET', headers: { 'sec-fetch-site': 'none' } }, undefined],
    ['a cross-site GET without Origin', own, { method: 'GET', headers: cross }, undefined],
    ['a GET without Origin and Sec-Fetch-Site', own, { method: 'GET', headers: {} }, undefined],
    ['a POST without Origin', own, { headers: same }, undefined],
    [
      'the option origin in addition to the list',
      { origin: SITE, allowedOrigins: [WILD] },
      { headers: { origin: SITE } },
      SITE,
    ],
    [
      'another origin when only the option origin is set',
      { ...none, origin: SITE },
      { headers: { origin: LOCAL } },
      undefined,
    ],
    ['without a list, an origin of the account', none, { headers: { origin: SITE } }, SITE],
    ['without a list, one of the account, same-origin', none, { headers: { origin: SITE, ...same } }, SITE],
    [
      'without a list, one of the account, cross-site',
      none,
      { headers: { origin: SITE, ...cross } },
      undefined,
    ],
    ['without a list, one not of the account', none, { headers: { origin: STRANGER } }, undefined],
    ['without a list, null', none, { headers: { origin: 'null' } }, undefined],
    [
      'an origin that the endpoint lists and the account does not',
      { allowedOrigins: [STRANGER] },
      { headers: { origin: STRANGER } },
      undefined,
    ],
  ])('%s', async (_, options, asked, bound) => {
    const answer = await ask(options, asked)
    const code = 'origin' in (asked.headers ?? {}) ? 'origin_not_allowed' : 'origin_required'
    if (bound === undefined) await problem(answer, 403, code)
    else expect(payloadOf((await good(answer)).token).origin).toBe(bound)
  })

  test('settings of the client apply where the options have none', async () => {
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
