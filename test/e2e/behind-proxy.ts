// The cases that every real proxy must pass with its example configuration.

import { beforeAll, describe, expect, test } from 'vitest'
import { type Json, sendToSocket } from '../support/wire.ts'
import { claimRequest, createAccount, SITE } from '../support/world.ts'
import {
  type Answer,
  type Ask,
  CLIENT,
  isInstalled,
  type ProxyKind,
  send,
  useProxyWorld,
} from './proxy-world.ts'

const OTHER_OPTIONS = 'missingOrigin=allow&tokenSources=query'

/** Registers the tests for one proxy. They are skipped when its command is not installed. */
export function describeProxy(kind: ProxyKind): void {
  describe.skipIf(!isInstalled(kind))(`behind ${kind.command}`, () => {
    const world = useProxyWorld(kind)
    const { seen } = world
    let port: number
    let otherPort: number
    let account: Json
    let plain: Json

    beforeAll(async () => {
      const { claimgate } = world
      const target = { issuer: claimgate.url, send: sendToClaimgate, stop: claimgate.stop }
      account = await createAccount(target, { name: 'A', allowedOrigins: [SITE], scopes: ['read', 'write'] })
      plain = await createAccount(target, { name: 'B', allowedOrigins: [SITE] })
      port = await world.startProxy()
      otherPort = await world.startProxy((text) => text.replace('?scope=read', `?${OTHER_OPTIONS}`))
    })

    const sendToClaimgate = (wire: Parameters<typeof sendToSocket>[1]) =>
      sendToSocket(world.claimgate.url, wire)

    async function claim(more: object = {}, of: Json = account): Promise<string> {
      const body = { token: of.credential.token, origin: SITE, ...more }
      const answer = await sendToClaimgate(claimRequest(body))
      expect(answer.status, answer.text).toBe(200)
      return answer.json().token
    }

    /** Sends a request with this token through the proxy, as a page of SITE would. */
    async function ask(
      token: string | undefined,
      { headers, ...more }: Ask = {},
      at = port,
    ): Promise<Answer> {
      const authorization = token && { authorization: `Bearer ${token}` }
      return send(at, { ...more, headers: { origin: SITE, ...authorization, ...headers } })
    }

    /** Expects a refusal that a page of SITE can read, and that no request reached the API. */
    function expectRefused(answer: Answer, status: number, code: string, challenge: string): void {
      expect(answer.status, answer.text).toBe(status)
      expect(answer.headers['content-type']).toEqual(['application/problem+json'])
      expect(JSON.parse(answer.text)).toMatchObject({ status, error: code })
      expect(answer.headers['www-authenticate']).toEqual([challenge])
      expect(answer.headers['access-control-allow-origin']).toEqual([SITE])
      expect(answer.headers['access-control-expose-headers']?.join()).toContain('WWW-Authenticate')
      expect(answer.headers.vary).toEqual(['Origin'])
      expect(seen).toEqual([])
    }

    const NO_TOKEN = 'Bearer, DPoP algs="ES256 EdDSA Ed25519"'
    const BAD_TOKEN = 'Bearer error="invalid_token"'

    test('a valid token: the API gets the request and the claims', async () => {
      const token = await claim()
      const answer = await ask(token, { method: 'POST', path: '/orders/1?a=b%20c', body: 'one tea' })
      expect(answer.status, answer.text).toBe(201)
      expect(seen).toMatchObject([{ method: 'POST', url: '/orders/1?a=b%20c', body: 'one tea' }])
      expect(seen[0]?.headers).toMatchObject({
        'x-claim-subject': account.account.id,
        'x-claim-client': account.credential.clientId,
        'x-claim-scope': 'read write',
        'x-claim-origin': SITE,
        'x-forwarded-for': CLIENT,
      })
      expect(answer.text).toBe('from the API')
      expect(answer.headers['access-control-allow-origin']).toEqual([SITE])
      expect(answer.headers['access-control-expose-headers']?.join()).toContain('Claimgate-Would-Block')
      expect(answer.headers.vary?.join()).toContain('Origin')
    })

    test('X-Claim headers of a client never reach the API, even without such a claim in the token', async () => {
      const forged = {
        'x-claim-subject': 'acct_root',
        'X-CLAIM-CLIENT': 'root',
        'x-claim-scope': ['admin', 'root'],
        'x-claim-origin': 'https://evil.example',
        // Many backends treat _ and - in header names as the same.
        X_Claim_Subject: 'acct_root',
        'x_claim-scope': 'root',
        'X-Claim_Scope': 'root',
      }
      await ask(await claim(), { headers: forged })
      await send(otherPort, { path: `/orders?token=${await claim({}, plain)}`, headers: forged })
      const arrived = seen.map(({ headers }) => [headers['x-claim-subject'], headers['x-claim-scope'] ?? ''])
      expect(arrived).toEqual([
        [account.account.id, 'read write'],
        [plain.account.id, ''],
      ])
      expect(JSON.stringify(seen)).not.toMatch(/root|evil/)
    })

    test('no token: a 401 that the page can read', async () => {
      expectRefused(await ask(undefined), 401, 'missing_token', NO_TOKEN)
      expectRefused(await ask(undefined, { method: 'PUT', body: 'x' }), 401, 'missing_token', NO_TOKEN)
    })

    test('no token, from an origin that no account lists: the page cannot read the 401', async () => {
      const answer = await ask(undefined, { headers: { origin: 'https://evil.example' } })
      expect(answer.status).toBe(401)
      expect(answer.headers['access-control-allow-origin']).toBeUndefined()
    })

    test('a wrong origin, a missing origin and an altered token are refused', async () => {
      const token = await claim()
      const evil = await ask(token, { headers: { origin: 'https://evil.example' } })
      expect([evil.status, JSON.parse(evil.text).error]).toEqual([401, 'origin_mismatch'])
      const none = await send(port, { headers: { authorization: `Bearer ${token}` } })
      expect([none.status, JSON.parse(none.text).error]).toEqual([401, 'origin_required'])
      expectRefused(await ask(`${token}x`), 401, 'invalid_token', BAD_TOKEN)
    })

    test('a missing scope that the operator requires: 403 with a challenge', async () => {
      const challenge = 'Bearer error="insufficient_scope", scope="read"'
      expectRefused(await ask(await claim({ scope: 'write' })), 403, 'insufficient_scope', challenge)
    })

    test('a malformed request is 401, not an error of the proxy', async () => {
      const answer = await ask(await claim(), { headers: { 'x-client-token': 'another' } })
      expectRefused(answer, 401, 'invalid_request', 'Bearer error="invalid_request"')
    })

    test('a preflight is answered by claimgate and does not reach the API', async () => {
      const preflight = { method: 'OPTIONS', path: '/orders?page=2&mode=report' }
      const method = { 'access-control-request-method': 'PATCH' }
      const answer = await ask(undefined, { ...preflight, headers: method })
      expect([200, 204], answer.text).toContain(answer.status)
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': [SITE],
        'access-control-allow-methods': ['PATCH'],
        'access-control-max-age': ['7200'],
      })
      const evil = await ask(undefined, {
        ...preflight,
        headers: { ...method, origin: 'https://evil.example' },
      })
      expect(evil.status).toBe(answer.status)
      expect(Object.keys(evil.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
      expect(seen).toEqual([])
    })

    test('an OPTIONS that is not a preflight needs a token', async () => {
      expectRefused(await ask(undefined, { method: 'OPTIONS' }), 401, 'missing_token', NO_TOKEN)
    })

    test.each(['x-original-method', 'x-forwarded-method', 'x-http-method-override'])(
      'a %s from the client does not turn a request into a preflight',
      async (name) => {
        const headers = { [name]: 'OPTIONS', 'access-control-request-method': 'GET' }
        const answer = await ask(undefined, { headers })
        expect(answer.status).toBe(401)
        expect(seen).toEqual([])
      },
    )

    test('options in the client’s query have no effect', async () => {
      const path = '/orders?mode=report&missingOrigin=allow&tokenSources=query&scope='
      const answer = await ask(await claim(), { path, headers: { origin: 'https://evil.example' } })
      expect([answer.status, JSON.parse(answer.text).error]).toEqual([401, 'origin_mismatch'])
      expect(seen).toEqual([])
    })

    test('a token in the query counts only with tokenSources=query', async () => {
      const path = `/orders?token=${await claim()}`
      expectRefused(await ask(undefined, { path }), 401, 'missing_token', NO_TOKEN)
      expect((await ask(undefined, { path }, otherPort)).status).toBe(201)
      expect(seen).toMatchObject([{ url: path }])
    })

    test('missingOrigin=allow lets a request without an origin pass', async () => {
      const path = `/orders?token=${await claim()}`
      expect((await send(otherPort, { path })).status).toBe(201)
    })

    test('a token bound to an address works from that address', async () => {
      expect((await ask(await claim({ ip: CLIENT }))).status).toBe(201)
    })

    test.each(['x-forwarded-for', 'forwarded', 'x-real-ip'])(
      'a forged %s does not change the client’s address',
      async (name) => {
        const token = await claim({ ip: '203.0.113.7' })
        const value = name === 'forwarded' ? 'for=203.0.113.7' : '203.0.113.7'
        const forged = await ask(token, { headers: { [name]: value } })
        expectRefused(forged, 401, 'ip_mismatch', BAD_TOKEN)
        // The proxy's own address does not count as the client's address either.
        const proxies = await claim({ ip: '127.0.0.1' })
        expectRefused(await ask(proxies, { headers: { [name]: '127.0.0.1' } }), 401, 'ip_mismatch', BAD_TOKEN)
      },
    )

    test('no request passes while claimgate is down', async () => {
      const token = await claim()
      await world.claimgate.stop()
      const answer = await ask(token)
      expect(answer.status).toBe(kind.unreachable)
      expect(seen).toEqual([])
    })
  })
}
