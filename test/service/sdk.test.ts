// GET /sdk.js: the browser client as one module, from the issuer.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { renderSdk } from '../../scripts/sdk.ts'
import { SDK_TAG, SDK_TEXT } from '../../src/service/sdk-file.ts'
import { type MemoryService, startMemory } from '../support/memory.ts'

test('the text in the source is the bundle of the present client: npm run build:sdk', async () => {
  const file = join(import.meta.dirname, '../../src/service/sdk-file.ts')
  expect(readFileSync(file, 'utf8') === (await renderSdk())).toBe(true)
})

describe('GET /sdk.js', () => {
  let service: MemoryService
  beforeAll(async () => {
    service = await startMemory()
  })
  afterAll(() => service.stop())
  const ask = (headers: Record<string, string> = {}, method = 'GET') =>
    service.app.request('/sdk.js', { method, headers })

  test('is a module that pages of every origin may load and cache', async () => {
    const answer = await ask({ origin: 'https://shop.example.org' })
    expect(answer.status).toBe(200)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
      'cache-control': 'public, max-age=3600',
      etag: SDK_TAG,
    })
    expect(answer.headers.has('access-control-allow-credentials')).toBe(false)
    expect(await answer.text()).toBe(SDK_TEXT)
    expect(SDK_TAG).toMatch(/^"[\w-]{43}"$/)
  })

  test.each([SDK_TAG, `"other", ${SDK_TAG}`, `W/${SDK_TAG}`, '*'])(
    'answers 304 without a body, with the headers of the 200, to If-None-Match: %s',
    async (tag) => {
      const answer = await ask({ 'if-none-match': tag })
      expect([answer.status, await answer.text(), answer.headers.get('etag')]).toEqual([304, '', SDK_TAG])
      expect(answer.headers.get('cache-control')).toBe('public, max-age=3600')
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    },
  )

  test('answers 200 to another tag, and HEAD and OPTIONS as for other documents; refuses POST', async () => {
    expect((await ask({ 'if-none-match': '"other"' })).status).toBe(200)
    expect((await ask({}, 'HEAD')).headers.get('etag')).toBe(SDK_TAG)
    const preflight = await ask(
      { origin: 'https://shop.example.org', 'access-control-request-method': 'GET' },
      'OPTIONS',
    )
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    expect((await ask({}, 'POST')).status).toBe(405)
  })
})
