// What a real proxy does with each answer of claimgate. Key-bound requests are answered by the real claimgate. Other answers
// come from a simulated claimgate, which records the requests of the proxy.

import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { hashToken } from '../support/dpop-maker.ts'
import { listenFree } from '../support/ports.ts'
import { type Json, sendToSocket } from '../support/wire.ts'
import { claimRequest, createAccount, SITE } from '../support/world.ts'
import { isInstalled, type ProxyKind, send, useProxyWorld } from './proxy-world.ts'

/** Registers the tests for one real proxy. They are skipped when it is not installed. */
export function describeVerdicts(kind: ProxyKind): void {
  describe.skipIf(!isInstalled(kind))(`verdicts behind ${kind.command}`, () => {
    const world = useProxyWorld(kind)
    describeProofs()
    describeAnswers()

    function describeProofs(): void {
      let port: number
      let secret: string
      let privateKey: CryptoKey
      let jwk: JWK
      beforeAll(async () => {
        port = await world.startProxy()
        const target = { issuer: world.claimgate.url, send: sendToClaimgate, stop: async () => {} }
        const account = { name: 'A', allowedOrigins: [SITE], scopes: ['read', 'write'] }
        secret = (await createAccount(target, account)).credential.token
        const pair = await generateKeyPair('ES256', { extractable: true })
        privateKey = pair.privateKey
        jwk = await exportJWK(pair.publicKey)
      })
      const sendToClaimgate = (wire: Parameters<typeof sendToSocket>[1]) =>
        sendToSocket(world.claimgate.url, wire)

      async function claim(scope: string): Promise<string> {
        const body = { token: secret, origin: SITE, scope, jkt: await calculateJwkThumbprint(jwk) }
        return (await sendToClaimgate(claimRequest(body))).json().token
      }
      const prove = (token: string, method: string): Promise<string> =>
        new SignJWT({
          ...{ jti: crypto.randomUUID(), htm: method, htu: `http://127.0.0.1:${port}/orders` },
          ath: hashToken(token),
        })
          .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
          .setIssuedAt()
          .sign(privateKey)
      const ask = (token: string, dpop: string, method: string) =>
        send(port, { method, headers: { origin: SITE, authorization: `DPoP ${token}`, dpop } })

      test('a missing scope: the page reads insufficient_scope, so claimgate got the proof only once', async () => {
        const token = await claim('write')
        const answer = await ask(token, await prove(token, 'POST'), 'POST')
        expect([answer.status, JSON.parse(answer.text).error]).toEqual([403, 'insufficient_scope'])
        expect(answer.headers['www-authenticate']?.join()).toMatch(/^DPoP error="insufficient_scope"/)
        expect(answer.headers['access-control-allow-origin']).toEqual([SITE])
        expect(world.seen).toEqual([])
      })

      test('a proof passes only once', async () => {
        const token = await claim('read')
        const proof = await prove(token, 'PUT')
        expect((await ask(token, proof, 'PUT')).status).toBe(201)
        const again = await ask(token, proof, 'PUT')
        expect([again.status, JSON.parse(again.text).error]).toEqual([401, 'invalid_proof'])
        expect(world.seen).toHaveLength(1)
      })
    }

    function describeAnswers(): void {
      const asked: IncomingHttpHeaders[] = []
      let stub: Server
      let port: number
      let status = 200
      let headers: Record<string, string> = {}
      let body = ''
      beforeAll(async () => {
        stub = createServer((request, response) => {
          asked.push(request.headers)
          response.writeHead(status, headers).end(body)
        })
        const url = `http://127.0.0.1:${await listenFree(stub)}`
        port = await world.startProxy((text) => text, url)
      })
      afterAll(() => void stub?.close())
      beforeEach(() => {
        asked.length = 0
      })
      /** Sets the next answers of the simulated claimgate. */
      function answerWith(code: number, problem: Json, more: Record<string, string> = {}): void {
        status = code
        body = problem === undefined ? '' : JSON.stringify(problem)
        headers = {
          'content-type': 'application/problem+json',
          'x-request-id': 'r7',
          vary: 'Origin',
          ...more,
        }
        if (body !== '') headers['claimgate-problem'] = body
      }
      const page = { origin: SITE, authorization: 'Bearer x', cookie: `a=${'b'.repeat(3000)}` }

      test('a 429 reaches the page with the time to wait', async () => {
        const problem = { title: 'Too many', status: 429, detail: 'é "$1" \\ wait', error: 'quota_exceeded' }
        const limits = {
          'retry-after': '17',
          ratelimit: '"token";r=0;t=17',
          'ratelimit-policy': '"token";q=6',
        }
        answerWith(429, problem, { ...limits, 'access-control-allow-origin': SITE })
        headers['claimgate-problem'] = body.replace('é', '\\u00e9')
        const answer = await send(port, { headers: page })
        expect([answer.status, JSON.parse(answer.text)]).toEqual([429, problem])
        expect(answer.headers).toMatchObject({
          'content-type': ['application/problem+json'],
          'retry-after': ['17'],
          ratelimit: ['"token";r=0;t=17'],
          'ratelimit-policy': ['"token";q=6'],
          'access-control-allow-origin': [SITE],
          'x-request-id': ['r7'],
          vary: ['Origin'],
        })
        expect(answer.headers['www-authenticate']).toBeUndefined()
        expect([asked.length, world.seen]).toEqual([1, []])
      })

      test.each([301, 302, 304, 400, 404, 410, 418, 421, 500, 501, 502, 503, 504, 599])(
        'after a %d of claimgate the request does not pass, and the proxy asks only once',
        async (code) => {
          answerWith(code, { status: code, error: 'x' })
          const answer = await send(port, { headers: page, method: 'POST', body: 'x' })
          expect(answer.status).toBeGreaterThanOrEqual(300)
          expect([asked.length, world.seen]).toEqual([1, []])
        },
      )

      test('a 401 reaches the page, and the proxy asks only once, without the cookie', async () => {
        answerWith(401, { status: 401, error: 'missing_token' }, { 'www-authenticate': 'Bearer' })
        const answer = await send(port, { headers: page })
        expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, ['Bearer']])
        expect(JSON.parse(answer.text).error).toBe('missing_token')
        expect(answer.headers['claimgate-problem']).toBeUndefined()
        expect(asked.map(({ cookie, authorization }) => [cookie, authorization])).toEqual([
          [undefined, 'Bearer x'],
        ])
      })

      test.each([200, 204])('after a %d without X-Claim-Subject the request does not pass', async (code) => {
        answerWith(code, undefined)
        const answer = await send(port, { headers: page })
        expect([200, 204]).toContain(answer.status)
        expect([asked.length, world.seen]).toEqual([1, []])
      })

      test('after a 200 with X-Claim-Subject the API gets the cookie, and its CORS headers do not reach the page', async () => {
        answerWith(200, undefined, {
          'x-claim-subject': 'acct_1',
          'x-claim-user': 'u7',
          ratelimit: '"token";r=5;t=9',
        })
        const answer = await send(port, { headers: { ...page, 'x-claim-user': 'root' } })
        expect([answer.status, answer.headers.ratelimit]).toEqual([201, ['"token";r=5;t=9']])
        expect(world.seen[0]?.headers).toMatchObject({ cookie: page.cookie, 'x-claim-user': 'u7' })
        expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
        expect(asked).toHaveLength(1)
      })
    }
  })
}
