// What a page gets, and what the site's log says, when the issuer refuses, redirects, hangs or sends invalid answers.

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
  useSimulatedIssuer,
  useWorld,
} from './issuer.ts'

const world = useWorld()
const issuer = useSimulatedIssuer()

let lines: string[]
beforeEach(() => {
  lines = []
  vi.spyOn(console, 'error').mockImplementation((...parts) => void lines.push(parts.join(' ')))
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** The answer of an endpoint of this client, which must not contain a secret. */
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

/**
 * Status, code and Retry-After of a refusal. It must name the issuer only in the URL of its documentation, reveal nothing of
 * the issuer's answer, and log one line.
 */
async function refusal(client: ClaimClient, body?: object): Promise<string> {
  const { answer, text } = await ask(client, body)
  const { type, ...rest } = JSON.parse(text)
  const { error, status, requestId } = rest
  expect(type).toBe(`${client.issuer}/docs#${error}`)
  const { host, port } = new URL(client.issuer ?? 'http://none')
  expect(JSON.stringify(rest)).not.toContain(host)
  if (port !== '') expect(JSON.stringify(rest)).not.toContain(port)
  expect(text).not.toMatch(/secret-detail|credential|ECONN/)
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(status).toBe(answer.status)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(new RegExp(`^claimgate: no client token \\(request ${requestId}\\): .+$`))
  return [status, error, answer.headers.get('retry-after') ?? ''].join(' ').trim()
}

const simulated = (): ClaimClient => createClaimClient({ issuer: issuer.url, token: TOKEN })

function refuse(status: number, error: string, headers: Record<string, string> = {}): Reply {
  return answer(status, { error, detail: 'secret-detail' }, headers)
}

describe('an issuer that refuses', () => {
  test.each<[string, Reply, string]>([
    ['the credential', refuse(401, 'unauthorized'), '502 bad_gateway'],
    ['the credential, without a body', answer(401), '502 bad_gateway'],
    ['the scope', refuse(403, 'scope_not_allowed'), '502 bad_gateway'],
    ['the origin', refuse(403, 'origin_not_allowed'), '403 origin_not_allowed'],
    ['with secret_in_browser', refuse(403, 'secret_in_browser'), '502 bad_gateway'],
    ['the path', refuse(404, 'not_found'), '502 bad_gateway'],
    ['the parameters', refuse(422, 'invalid_request'), '502 bad_gateway'],
    ['for 12 seconds', refuse(429, 'rate_limited', { 'retry-after': '12' }), '503 unavailable 12'],
    ['because of its rate limit, without Retry-After', answer(429), '503 unavailable 5'],
    [
      'until a date in the past',
      answer(503, '', { 'retry-after': 'Fri, 31 Dec 1999 23:59:59 GMT' }),
      '503 unavailable 0',
    ],
    ['until an invalid date', answer(429, '', { 'retry-after': 'tomorrow' }), '503 unavailable 5'],
    ['because it is down', refuse(503, 'unavailable', { 'retry-after': '30' }), '503 unavailable 30'],
    ['because of an internal error', refuse(500, 'internal'), '502 bad_gateway'],
    ['by its proxy, which cannot reach it', answer(502, '<html>'), '502 bad_gateway'],
    ['by its proxy, which timed out', answer(504, '<html>'), '504 gateway_timeout'],
  ])('%s', async (_, reply, expected) => {
    issuer.reply = reply
    expect(await refusal(simulated())).toBe(expected)
  })

  test('until a date: the page gets the seconds that are left', async () => {
    issuer.reply = (request, response) => {
      const date = new Date(Date.now() + 90_000).toUTCString()
      answer(429, '', { 'retry-after': date })(request, response)
    }
    expect(await refusal(simulated())).toMatch(/^503 unavailable (8[5-9]|90)$/)
  })

  test.each([301, 302, 303, 307, 308])(
    'a %i is not followed: no other URL gets the secret',
    async (status) => {
      let followed = 0
      issuer.reply = (request, response) => {
        if (request.url === '/elsewhere') followed += 1
        answer(status, '', { location: '/elsewhere' })(request, response)
      }
      expect(await refusal(simulated())).toBe('502 bad_gateway')
      expect(followed).toBe(0)
    },
  )
})

describe('an issuer that sends an invalid answer', () => {
  const { token } = GOOD
  test.each<[string, unknown]>([
    ['an empty body', ''],
    ['HTML', '<html></html>'],
    ['truncated JSON', JSON.stringify(GOOD).slice(0, -5)],
    ['a list', [GOOD]],
    ['a repeated member', `{"token":"${token}","token":"${token}","tokenType":"Bearer","expiresIn":600}`],
    ['no token', { ...GOOD, token: undefined }],
    ['an empty token', { ...GOOD, token: '' }],
    ['a token that is a number', { ...GOOD, token: 5 }],
    ['a token with a blank', { ...GOOD, token: `${token} ` }],
    ['a token that is too long for verifiers', { ...GOOD, token: 'x'.repeat(4097) }],
    ['another token type', { ...GOOD, tokenType: 'MAC' }],
    ['a key-bound token without a request for one', { ...GOOD, tokenType: 'DPoP' }],
    ['no lifetime', { ...GOOD, expiresIn: undefined }],
    ['a lifetime of 0', { ...GOOD, expiresIn: 0 }],
    ['an infinite lifetime', JSON.stringify(GOOD).replace('600', '1e400')],
    ['a lifetime that is text', { ...GOOD, expiresIn: '600' }],
    ['a body over 64 KiB', { ...GOOD, more: 'x'.repeat(65_536) }],
  ])('%s', async (_, body) => {
    issuer.reply = answer(200, body)
    expect(await refusal(simulated())).toBe('502 bad_gateway')
  })

  test.each([201, 204])('status %i', async (status) => {
    issuer.reply = answer(status, status === 204 ? '' : GOOD)
    expect(await refusal(simulated())).toBe('502 bad_gateway')
  })

  test('a Bearer token when a key-bound one was requested', async () => {
    issuer.reply = answer(200, GOOD)
    expect(await refusal(simulated(), { jkt: JKT })).toBe('502 bad_gateway')
  })

  test('for comparison: a valid answer gives a token', async () => {
    issuer.reply = answer(200, { ...GOOD, more: 'x'.repeat(60_000) })
    expect((await ask(simulated())).answer.status).toBe(200)
    expect(lines).toEqual([])
  })

  test('the lifetime in the answer is reduced by the time that the claim took', async () => {
    issuer.reply = (request, response) => void setTimeout(() => answer(200, GOOD)(request, response), 2000)
    expect(JSON.parse((await ask(simulated())).text).expiresIn).toBe(597)
  })
})

describe('an issuer that does not answer', () => {
  test('because nothing listens', async () => {
    expect(await refusal(createClaimClient({ issuer: await closedUrl(), token: TOKEN }))).toBe(
      '504 gateway_timeout',
    )
    expect(lines[0]).toContain('ECONNREFUSED')
  })

  test('because the connection ends', async () => {
    issuer.reply = (request) => request.socket.destroy()
    expect(await refusal(simulated())).toBe('504 gateway_timeout')
  })

  test.each<[string, Reply]>([
    ['before the answer', () => undefined],
    ['within the answer', (_, response) => response.writeHead(200).write('{"token":')],
  ])('because it stops %s: 504 after 5 s', async (_, reply) => {
    issuer.reply = reply
    const startedAt = performance.now()
    expect(await refusal(simulated())).toBe('504 gateway_timeout')
    const seconds = (performance.now() - startedAt) / 1000
    expect(seconds).toBeGreaterThan(4.8)
    expect(seconds).toBeLessThan(5.8)
    expect(lines[0]).toContain('did not answer within 5 s')
  })
})

describe('the line in the log', () => {
  test('says that the real issuer refused the credential', async () => {
    expect(await refusal(createClaimClient({ issuer: world().issuer, token: world().wrong }))).toBe(
      '502 bad_gateway',
    )
    expect(lines[0]).toContain('401 unauthorized')
  })
})

describe('onError', () => {
  const options = { authenticate: 'public', baseUrl: API, allowedOrigins: [SITE] } as const
  const page = (): Request =>
    new Request('https://www.example.com/api/client-token', { method: 'POST', headers: { origin: SITE } })

  test('replaces the line on the console, and may throw', async () => {
    issuer.reply = refuse(429, 'rate_limited', { 'retry-after': '12' })
    const onError = vi.fn(() => {
      throw new Error('the log is full')
    })
    const answer = await createClientTokenEndpoint(simulated(), { ...options, onError })(page())
    expect(answer.status).toBe(503)
    const told = { name: 'ClaimRequestError', status: 429, code: 'rate_limited', retryAfter: 12 }
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(told), {
      requestId: answer.headers.get('x-request-id'),
    })
    expect(lines).toEqual([])
  })

  test('may be async and reject: the answer is the same, and the process goes on', async () => {
    issuer.reply = refuse(500, 'internal')
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    let calls = 0
    // Not a vi.fn, which would handle the rejection.
    const onError = async () => {
      calls += 1
      throw new Error('the log is full')
    }
    const answer = await createClientTokenEndpoint(simulated(), { ...options, onError })(page())
    await new Promise((resolve) => setTimeout(resolve, 10))
    process.off('unhandledRejection', unhandled)
    expect([answer.status, calls, unhandled.mock.calls]).toEqual([502, 1, []])
  })

  test.each([
    ['an error of another class', new Error('two\nlines')],
    ['a text', 'thrown text'],
  ])('gets %s that a custom client throws, and the page gets 500', async (_, thrown) => {
    const client: ClaimClient = { ...simulated(), claim: () => Promise.reject(thrown) }
    expect((await createClientTokenEndpoint(client, options)(page())).status).toBe(500)
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain('\n')
  })
})
