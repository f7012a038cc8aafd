// Requests whose headers are a plain object: those of Node, and the events of function platforms.

import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createVerifier } from '../../src/verify/verifier.ts'
import { createMint, RULES, SITE, verdictOf } from '../support/mint.ts'
import { sendToSocket } from '../support/wire.ts'

const mint = createMint('ES256')
const verifier = createVerifier({
  ...RULES,
  jwks: { keys: [mint.jwk] },
  tokenSources: ['authorization', 'query', 'x-client-token'],
})
const token = mint.token()
const bearer = `Bearer ${token}`
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

const verdictOn = (headers: Headers, more: object = {}): Promise<string> =>
  verdictOf(verifier, { method: 'GET', url: '/things', headers, ...more })

describe('a plain object of headers', () => {
  test.each<[string, Headers, string]>([
    ['lower case', { authorization: bearer, origin: SITE }, 'allowed'],
    ['any case', { Authorization: bearer, ORIGIN: SITE }, 'allowed'],
    ['lists of one line', { Authorization: [bearer], Origin: [SITE] }, 'allowed'],
    ['two lines of one header', { authorization: [bearer, bearer], origin: SITE }, 'invalid_request'],
    [
      'one header in two cases',
      { Authorization: bearer, authorization: bearer, origin: SITE },
      'invalid_request',
    ],
    ['two origins', { authorization: bearer, origin: [SITE, SITE] }, 'origin_mismatch'],
    ['an undefined header', { authorization: bearer, origin: undefined }, 'origin_required'],
    ['a name of Object.prototype', { constructor: bearer, origin: SITE }, 'missing_token'],
    ['no header', {}, 'missing_token'],
  ])('%s', async (_, headers, verdict) => {
    expect(await verdictOn(headers)).toBe(verdict)
  })

  test('the event of a function platform, without method and URL', async () => {
    expect(await verdictOf(verifier, { headers: { Authorization: bearer, Origin: SITE } })).toBe('allowed')
  })
})

describe('a request of node:http', () => {
  async function receive(headers: Readonly<Record<string, string>> | string): Promise<string> {
    let verdict = Promise.resolve('')
    const server = createServer((request: IncomingMessage, response) => {
      verdict = verdictOf(verifier, request)
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      if (typeof headers === 'string') {
        const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
        socket.end(`GET /things HTTP/1.1\r\nHost: api\r\nConnection: close\r\n${headers}\r\n`)
        await new Promise((resolve) => socket.resume().once('close', resolve))
      } else await sendToSocket(url, { method: 'GET', path: '/things', headers })
      return await verdict
    } finally {
      server.close()
      server.closeAllConnections()
    }
  }

  test('is read as it is', async () => {
    expect(await receive({ authorization: bearer, origin: SITE })).toBe('allowed')
    expect(await receive({ 'x-client-token': token, origin: SITE })).toBe('allowed')
  })

  test('a second Authorization line is not overlooked, though Node drops it', async () => {
    const lines = `Origin: ${SITE}\r\nAuthorization: ${bearer}\r\nAuthorization: ${bearer}\r\n`
    expect(await receive(lines)).toBe('invalid_request')
  })
})

test('an account token in place of a browser token is told so', async () => {
  const account = 'cgk_4fKq0Zz_9f3hJkLmNoPqRsTuVwXyZ012_a1B2c3'
  for (const text of [account, account.replace('cgk', 'acme')]) {
    const failure = await verifier
      .verify({ headers: { authorization: `Bearer ${text}`, origin: SITE } })
      .catch((error) => error)
    expect(failure).toMatchObject({
      code: 'invalid_token',
      message: expect.stringContaining('account token'),
    })
    expect(failure.message).not.toContain(text)
  }
})

test('a token from the future: the clocks are named', async () => {
  const iat = Math.floor(Date.now() / 1000) + 600
  const early = mint.token({ iat, exp: iat + 60 })
  const headers = { authorization: `Bearer ${early}`, origin: SITE }
  await expect(verifier.verify({ headers })).rejects.toMatchObject({
    code: 'invalid_token',
    message: expect.stringContaining('clock'),
  })
})
