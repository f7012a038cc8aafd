// What a page sees, and what the site's log says, when the issuer refuses, redirects, hangs or talks nonsense.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type ClaimClient,
  createClaimClient,
  createClientTokenEndpoint,
} from '../../../src/client/backend/index.ts'
import { SITE } from '../../support/world.ts'
import {
  API,
  answer,
  closedUrl,
  expectNoSecret,
  GOOD,
  JKT,
  type Reply,
  TOKEN,
  useMadeUpIssuer,
  useWorld,
} from './issuer.ts'

const world = useWorld()
const issuer = useMadeUpIssuer()

let lines: string[]
beforeEach(() => {
  lines = []
  vi.spyOn(console, 'error').mockImplementation((...parts) => void lines.push(parts.join(' ')))
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** What a page gets that asks an endpoint of this client; whatever that is, it gives nothing away. */
async function ask(
  client: ClaimClient,
  body?: object,
): Promise<{ readonly answer: Response; readonly text: string }> {
  const endpoint = createClientTokenEndpoint(client, {
    authenticate: 'public',
    baseUrl: API,
    allowedOrigins: [SITE],
  })
  const init = { method: 'POST', headers: { origin: SITE }, ...(body && { body: JSON.stringify(body) }) }
  const answer = await endpoint(new Request('https://www.example.com/api/client-token', init))
  const text = await answer.text()
  expectNoSecret(`${text} ${JSON.stringify([...answer.headers])} ${lines.join()}`, world())
  return { answer, text }
}

/** The code and status of a refusal, which names neither the issuer nor what it said, and leaves one line behind. */
async function refusal(client: ClaimClient, body?: object): Promise<string> {
  const { answer, text } = await ask(client, body)
  const { host, port } = new URL(client.issuer ?? 'http://none')
  expect(text).not.toContain(host)
  if (port !== '') expect(text).not.toContain(port)
  expect(text).not.toMatch(/secret-detail|credential|ECONN/)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  const { error, status, requestId } = JSON.parse(text)
  expect(status).toBe(answer.status)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(new RegExp(`^claimgate: no client token \\(request ${requestId}\\): .+$`))
  return [status, error, answer.headers.get('retry-after') ?? ''].join(' ').trim()
}

const madeUp = (): ClaimClient => createClaimClient({ issuer: issuer.url, token: TOKEN })

function refuse(status: number, error: string, headers: Record<string, string> = {}): Reply {
  return answer(status, { error, detail: 'secret-detail' }, headers)
}

describe('an issuer that refuses', () => {
  test.each<[string, Reply, string]>([
    ['our credential', refuse(401, 'unauthorized'), '502 bad_gateway'],
    ['our credential, without a word', answer(401), '502 bad_gateway'],
    ['our scope', refuse(403, 'scope_not_allowed'), '502 bad_gateway'],
    ['our origin', refuse(403, 'origin_not_allowed'), '403 origin_not_allowed'],
    ['us as a browser', refuse(403, 'secret_in_browser'), '502 bad_gateway'],
    ['our path', refuse(404, 'not_found'), '502 bad_gateway'],
    ['our parameters', refuse(422, 'invalid_request'), '502 bad_gateway'],
    ['for now', refuse(429, 'rate_limited', { 'retry-after': '12' }), '503 unavailable 12'],
    ['for now, without saying how long', answer(429), '503 unavailable 5'],
    [
      'until a date, which we do not read',
      answer(429, '', { 'retry-after': 'Fri, 31 Dec 2027 23:59:59 GMT' }),
      '503 unavailable 5',
    ],
    ['as it is down', refuse(503, 'unavailable', { 'retry-after': '30' }), '503 unavailable 30'],
    ['as it is broken', refuse(500, 'internal'), '502 bad_gateway'],
    ['behind a proxy that does not reach it', answer(502, '<html>'), '502 bad_gateway'],
    ['behind a proxy that waited', answer(504, '<html>'), '504 gateway_timeout'],
  ])('%s', async (_, reply, expected) => {
    issuer.reply = reply
    expect(await refusal(madeUp())).toBe(expected)
  })

  test.each([301, 302, 303, 307, 308])(
    'a %i is not followed: the secret goes nowhere else',
    async (status) => {
      let followed = 0
      issuer.reply = (request, response) => {
        if (request.url === '/elsewhere') followed += 1
        answer(status, '', { location: '/elsewhere' })(request, response)
      }
      expect(await refusal(madeUp())).toBe('502 bad_gateway')
      expect(followed).toBe(0)
    },
  )
})

describe('an issuer that talks nonsense', () => {
  const { token } = GOOD
  test.each<[string, unknown]>([
    ['nothing', ''],
    ['a page', '<html></html>'],
    ['half of an answer', JSON.stringify(GOOD).slice(0, -5)],
    ['a list', [GOOD]],
    ['a member twice', `{"token":"${token}","token":"${token}","tokenType":"Bearer","expiresIn":600}`],
    ['no token', { ...GOOD, token: undefined }],
    ['an empty token', { ...GOOD, token: '' }],
    ['a token that is no text', { ...GOOD, token: 5 }],
    ['a token with a blank', { ...GOOD, token: `${token} ` }],
    ['a token that no verifier would read', { ...GOOD, token: 'x'.repeat(4097) }],
    ['another kind of token', { ...GOOD, tokenType: 'MAC' }],
    ['a key-bound token that nobody asked for', { ...GOOD, tokenType: 'DPoP' }],
    ['no life', { ...GOOD, expiresIn: undefined }],
    ['a life of none', { ...GOOD, expiresIn: 0 }],
    ['an endless life', JSON.stringify(GOOD).replace('600', '1e400')],
    ['a life that is text', { ...GOOD, expiresIn: '600' }],
    ['over 64 KiB', { ...GOOD, more: 'x'.repeat(65_536) }],
  ])('%s', async (_, body) => {
    issuer.reply = answer(200, body)
    expect(await refusal(madeUp())).toBe('502 bad_gateway')
  })

  test.each([201, 204])('%i is no 200', async (status) => {
    issuer.reply = answer(status, status === 204 ? '' : GOOD)
    expect(await refusal(madeUp())).toBe('502 bad_gateway')
  })

  test('a token without the key that was asked for', async () => {
    issuer.reply = answer(200, GOOD)
    expect(await refusal(madeUp(), { jkt: JKT })).toBe('502 bad_gateway')
  })

  test('the good answer is one', async () => {
    issuer.reply = answer(200, { ...GOOD, more: 'x'.repeat(60_000) })
    expect((await ask(madeUp())).answer.status).toBe(200)
    expect(lines).toEqual([])
  })

  test('a token that was under way for two seconds has two seconds less to live', async () => {
    issuer.reply = (request, response) => void setTimeout(() => answer(200, GOOD)(request, response), 2000)
    expect(JSON.parse((await ask(madeUp())).text).expiresIn).toBe(597)
  })
})

describe('an issuer that is not there', () => {
  test('nothing listens', async () => {
    expect(await refusal(createClaimClient({ issuer: await closedUrl(), token: TOKEN }))).toBe(
      '504 gateway_timeout',
    )
    expect(lines[0]).toContain('ECONNREFUSED')
  })

  test('the connection ends', async () => {
    issuer.reply = (request) => request.socket.destroy()
    expect(await refusal(madeUp())).toBe('504 gateway_timeout')
  })

  test.each<[string, Reply]>([
    ['before its answer', () => undefined],
    ['in its answer', (_, response) => response.writeHead(200).write('{"token":')],
  ])('it falls silent %s: given up after 5 s', async (_, reply) => {
    issuer.reply = reply
    const startedAt = performance.now()
    expect(await refusal(madeUp())).toBe('504 gateway_timeout')
    const seconds = (performance.now() - startedAt) / 1000
    expect(seconds).toBeGreaterThan(4.8)
    expect(seconds).toBeLessThan(5.8)
    expect(lines[0]).toContain('did not answer within 5 s')
  })
})

describe('the real issuer', () => {
  test('a credential that is wrong', async () => {
    expect(await refusal(createClaimClient({ issuer: world().issuer, token: world().wrong }))).toBe(
      '502 bad_gateway',
    )
    expect(lines[0]).toContain('401 unauthorized')
  })

  test('nothing configured', async () => {
    expect(await refusal(createClaimClient({ issuer: undefined, token: undefined }))).toBe(
      '503 unavailable 5',
    )
    expect(lines[0]).toContain('no issuer is configured')
  })
})

describe('onError', () => {
  const options = { authenticate: 'public', baseUrl: API, allowedOrigins: [SITE] } as const
  const page = (): Request =>
    new Request('https://www.example.com/api/client-token', { method: 'POST', headers: { origin: SITE } })

  test('is told instead of the console, and its own fault harms nobody', async () => {
    issuer.reply = refuse(429, 'rate_limited', { 'retry-after': '12' })
    const onError = vi.fn(() => {
      throw new Error('the log is full')
    })
    const answer = await createClientTokenEndpoint(madeUp(), { ...options, onError })(page())
    expect(answer.status).toBe(503)
    const told = { name: 'ClaimRequestError', status: 429, code: 'rate_limited', retryAfter: 12 }
    expect(onError).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining(told),
      answer.headers.get('x-request-id'),
    )
    expect(lines).toEqual([])
  })

  test.each([
    ['an error of another kind', new Error('two\nlines')],
    ['no error at all', 'text'],
  ])("%s out of a client of the site's own: one line, and 500", async (_, thrown) => {
    const client: ClaimClient = { ...madeUp(), claim: () => Promise.reject(thrown) }
    expect((await createClientTokenEndpoint(client, options)(page())).status).toBe(500)
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('\n')
  })
})
