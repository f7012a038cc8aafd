// Charsets that HTTP libraries name by default for forms. A form of ASCII means the same in all of them.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { createWorld, SITE, type World } from '../support/world.ts'

let service: MemoryService
let world: World
beforeAll(async () => {
  service = await startMemory()
  world = await createWorld(service)
})
afterAll(() => service.stop())

const send = (path: string, charset: string, body: string, more: Readonly<Record<string, string>> = {}) =>
  world.send({
    method: 'POST',
    path,
    body,
    headers: { 'content-type': `application/x-www-form-urlencoded; charset=${charset}`, ...more },
  })
const basic = () => ({ authorization: `Basic ${btoa(`${world.clientId}:${world.clientSecret}`)}` })

test.each(['utf-8', 'ISO-8859-1', 'us-ascii'])(
  'a form in %s is read by the claim and by OAuth',
  async (charset) => {
    const claimed = await send('/auth/claim', charset, `token=${world.token}&origin=${SITE}`)
    expect(claimed.status).toBe(200)
    const issued = await send(
      '/oauth/token',
      charset,
      `grant_type=client_credentials&origin=${SITE}`,
      basic(),
    )
    expect(issued.status).toBe(200)
  },
)

test.each(['ISO-8859-1', 'us-ascii'])('other characters in %s are refused', async (charset) => {
  for (const [path, more] of [
    ['/auth/claim', {}],
    ['/oauth/token', basic()],
  ] as const) {
    const answer = await send(path, charset, `token=${world.token}&name=é`, more)
    expect([answer.status, answer.json().error]).toEqual([400, 'invalid_request'])
    expect(answer.text).toContain('ASCII only')
  }
})

test('another charset is 415, as before', async () => {
  expect((await send('/auth/claim', 'windows-1252', `token=${world.token}`)).status).toBe(415)
})
