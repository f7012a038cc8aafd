// A request whose target and Host form no valid URL is refused before it reaches the app, with a problem document.

import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { useServers } from '../support/server.ts'

const servers = useServers()

test.each([
  ['a Host that is not a host', ['-H', 'Host: not a host']],
  ['a target without a host', ['--request-target', 'http://']],
  ['a target with dot segments', ['--request-target', '/auth/verify/../../healthz']],
  ['a target with encoded dot segments', ['--request-target', '/auth/verify/%2e%2E/healthz?x']],
])('%s is refused with 400', async (_, options) => {
  const server = await servers.start()
  const text = execFileSync('curl', ['-s', '-i', ...options, `${server.url}/api/v1/auth/token`], {
    encoding: 'utf8',
  })
  const [head = '', body = ''] = text.split('\r\n\r\n')
  expect(head).toMatch(/^HTTP\/1\.1 400 /)
  expect(head).toMatch(/content-type: application\/problem\+json/i)
  expect(head).toMatch(/cache-control: no-store/i)
  const problem = JSON.parse(body)
  expect(problem).toMatchObject({
    status: 400,
    error: 'invalid_request',
    type: `${server.url}/docs#invalid_request`,
  })
  expect(head.toLowerCase()).toContain(`x-request-id: ${problem.requestId}`.toLowerCase())
})

test('HTTP/1.0 needs no Host, and a query may contain dot segments', async () => {
  const server = await servers.start()
  const options = ['-s', '-o', '/dev/null', '-w', '%{http_code}']
  const ask = (...more: readonly string[]) =>
    execFileSync('curl', [...options, ...more], { encoding: 'utf8' })
  expect(ask('--http1.0', '-H', 'Host:', `${server.url}/healthz`)).toBe('200')
  expect(ask(`${server.url}/healthz?/../`)).toBe('200')
})
