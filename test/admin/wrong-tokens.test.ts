// Wrong admin tokens: limited by address for /admin and /metrics together, counted, and logged once a minute. The right
// token is accepted however many wrong ones came before.

import { beforeEach, describe, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN } from '../support/server.ts'

let address: string
let service: MemoryService
beforeEach(async () => {
  address = '203.0.113.7'
  service = await startMemory({ CLAIMGATE_METRICS: 'admin' }, { peerOf: () => address })
})

const ask = async (token: string | null, path = '/admin/accounts') =>
  service.send({ method: 'GET', path, headers: token === null ? {} : { authorization: `Bearer ${token}` } })
const statuses = async (count: number, token: string | null, path?: string): Promise<readonly number[]> => {
  const answers: number[] = []
  for (let sent = 0; sent < count; sent += 1) answers.push((await ask(token, path)).status)
  return answers
}

describe('an address that sends wrong tokens', () => {
  test('gets 401 twenty times in a minute, then 429 with Retry-After', async () => {
    expect(await statuses(10, 'wrong-a')).toEqual(Array(10).fill(401))
    expect(await statuses(10, 'wrong-b', '/metrics')).toEqual(Array(10).fill(401))
    for (const path of ['/admin/accounts', '/admin/nowhere', '/metrics']) {
      const answer = await ask('wrong-c', path)
      expect(answer.status).toBe(429)
      expect(answer.json().error).toBe('rate_limited')
      expect(Number(answer.headers.get('retry-after'))).toBeLessThanOrEqual(60)
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    }
  })

  test('is still accepted with the right token', async () => {
    await statuses(30, 'wrong')
    expect((await ask(ADMIN_TOKEN)).status).toBe(200)
    expect((await ask(ADMIN_TOKEN, '/metrics')).status).toBe(200)
    expect((await ask('wrong')).status).toBe(429)
  })

  test('does not affect other addresses, and IPv6 addresses of one /56 count together', async () => {
    await statuses(21, 'wrong')
    address = '203.0.113.8'
    expect((await ask('wrong')).status).toBe(401)
    const answers: number[] = []
    for (let host = 0; host < 21; host += 1) {
      address = `2001:db8:0:ab${(host % 16).toString(16)}0::${host + 1}`
      answers.push((await ask('wrong')).status)
    }
    expect(answers).toEqual([...Array(20).fill(401), 429])
    address = '2001:db8:0:ac00::1'
    expect((await ask('wrong')).status).toBe(401)
  })

  test('is not counted for requests without a token', async () => {
    expect(await statuses(25, null)).toEqual(Array(25).fill(401))
    expect((await ask('wrong')).status).toBe(401)
  })
})

test('every refusal is counted, and one log line a minute holds no token and no whole address', async () => {
  await statuses(25, 'wrong-guess-of-a-token')
  await ask(null)
  const metrics = (await ask(ADMIN_TOKEN, '/metrics')).text
  expect(metrics).toContain('\nclaimgate_admin_refused_total 26\n')
  const told = service.lines.filter((line) => line.includes('wrong admin tokens'))
  expect(told).toHaveLength(1)
  expect(JSON.parse(told[0] as string)).toMatchObject({ level: 'warn', count: 1, address: '203.0.113.0/24' })
  expect(service.lines.join('\n')).not.toMatch(/wrong-guess|203\.0\.113\.7/)
})

test('the counter exists at zero from the start', async () => {
  expect((await ask(ADMIN_TOKEN, '/metrics')).text).toContain('\nclaimgate_admin_refused_total 0\n')
})
