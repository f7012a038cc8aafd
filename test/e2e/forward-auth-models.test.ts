// Sends every request without a token through models of Traefik and Envoy. claimgate gets the requests that the proxy would
// send, and none of the original requests may reach the API.

import { describe, expect, test } from 'vitest'
import { preflights } from '../support/preflights.ts'
import { claimToken, SITE } from '../support/world.ts'
import { useForwardAuth } from './forward-auth.ts'
import { type ClientRequest, runEnvoy, runTraefik } from './proxy-models.ts'
import { type TokenlessRow, tokenless, toRequest } from './tokenless.ts'

const auth = useForwardAuth()

/** The request of a row; undefined when it is not valid HTTP, which proxies refuse, or when fetch cannot send its method. */
function readRow({ lines: [line = '', ...rest] }: TokenlessRow): ClientRequest | undefined {
  const [, method = '', target = ''] = /^([!#$%&'*+.^`|~\w-]+) (\/[!-~]*) HTTP\/1\.1$/.exec(line) ?? []
  const headers: Record<string, string[]> = {}
  for (const one of rest) {
    const [, name, value = ''] = /^([\w-]+):[ \t]*([\t\x20-\x7e\x80-\uffff]*)$/.exec(one) ?? []
    if (name === undefined) return undefined
    const known = headers[name.toLowerCase()] ?? []
    headers[name.toLowerCase()] = [...known, value.trim()]
  }
  // The test sends requests by fetch, which changes or refuses these methods. The proxies refuse them too.
  const isSendable = method === method.toUpperCase() && !/^(TRACE|CONNECT|TRACK)$/.test(method)
  return method === '' || !isSendable ? undefined : { method, target, headers }
}

const readRows = (rows: readonly TokenlessRow[]) =>
  rows.flatMap(({ name, ...row }) => {
    const request = readRow({ name, ...row })
    return request === undefined ? [] : [{ name, request }]
  })
const rows = readRows(tokenless)

test('more than 120 rows are valid HTTP and are sent', () => {
  expect(rows.length).toBeGreaterThan(120)
})

describe.each([
  ['Traefik', runTraefik],
  ['Envoy', runEnvoy],
])('%s', (_, run) => {
  async function passes(request: ClientRequest): Promise<boolean> {
    const { kind, wire } = run(request)
    if (kind === 'refuse') return false
    expect(Object.keys(wire.headers ?? {})).not.toContain('cookie')
    const { status, headers } = await auth.world.send(wire)
    const isAllowed = status >= 200 && status < 300
    if (kind === 'ask') return isAllowed
    // The proxy sends this answer to the client, not the request to the API. It must not contain claims.
    expect([...headers.keys()].filter((name) => name.startsWith('x-claim-'))).toEqual([])
    return false
  }

  test.each(rows)('a request without a token does not reach the API: $name', async ({ request }) => {
    expect(await passes(request)).toBe(false)
  })

  test.each(rows)('a request with an altered token does not reach the API: $name', async ({ request }) => {
    const authorization = [`Bearer ${auth.token}x`]
    expect(await passes({ ...request, headers: { ...request.headers, authorization } })).toBe(false)
  })

  test.each(readRows(preflights.map(toRequest)))(
    'a preflight is answered with 200 and does not reach the API: $name',
    async ({ request }) => {
      for (const target of ['/orders', '/orders?mode=report&unknown=1', '/']) {
        const { kind, wire } = run({ ...request, target })
        const answer = await auth.world.send(wire)
        expect([kind, answer.status, answer.text]).toEqual(['answer', 200, ''])
      }
    },
  )

  test.each(['GET', 'POST', 'OPTIONS'])('a %s with a valid token reaches the API', async (method) => {
    const headers = { origin: [SITE], authorization: [`Bearer ${auth.token}`], cookie: ['a=b'] }
    expect(await passes({ method, target: '/orders?mode=x', headers })).toBe(true)
    const foreign = { ...headers, origin: ['https://evil.example'] }
    expect(await passes({ method, target: '/orders?mode=report', headers: foreign })).toBe(false)
    // Traefik's options require a scope.
    const authorization = [`Bearer ${await claimToken(auth.world, { scope: 'write' })}`]
    const narrow = await passes({ method, target: '/orders', headers: { ...headers, authorization } })
    expect(narrow).toBe(run === runEnvoy)
  })
})
