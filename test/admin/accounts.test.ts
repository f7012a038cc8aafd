// Changing and deleting accounts: the answer, the stored record, the audit log, and whether `onChange` is called.

import { beforeEach, describe, expect, test } from 'vitest'
import { listRules } from '../support/records.ts'
import type { Json } from '../support/wire.ts'
import { type AdminService, LIFETIME, MAX_TTL, NOW, startAdmin } from './service.ts'

let service: AdminService
let account: Json
let path: string
beforeEach(async () => {
  service = await startAdmin()
  account = (await service.createAccount({ maxTtl: 600 })).account
  path = `/admin/accounts/${account.id}`
  service.setNow(NOW + 5000)
})

const later = new Date(NOW + 5000).toISOString()
const entry = (action: string, detail: object | null = null): Json => ({
  id: expect.stringMatching(/^[0-9A-Za-z]{16}$/),
  at: later,
  actor: 'admin',
  action,
  target: account.id,
  detail,
})
const update = (...changed: string[]): Json => entry('account.update', { changed })

const changes: readonly (readonly [patch: object, kept: object, changed: readonly string[]])[] = [
  [{ name: 'Other' }, { name: 'Other' }, ['name']],
  [
    { allowedOrigins: ['HTTPS://B.example:443/', 'http://localhost:*'] },
    { allowedOrigins: ['https://b.example', 'http://localhost:*'] },
    ['allowedOrigins'],
  ],
  [{ scopes: ['write', 'write'] }, { scopes: ['write'] }, ['scopes']],
  [{ scopes: ['write', 'read'] }, { scopes: ['write', 'read'] }, ['scopes']],
  [{ scopes: [] }, { scopes: [] }, ['scopes']],
  [{ maxTtl: 10 }, { maxTtl: 10 }, ['maxTtl']],
  [{ maxTtl: MAX_TTL }, { maxTtl: MAX_TTL }, ['maxTtl']],
  [{ maxTtl: null }, { maxTtl: null }, ['maxTtl']],
  [{ browserPrototype: true }, { browserPrototype: true }, ['browserPrototype']],
  [{ requireOrigin: true }, { requireOrigin: true }, ['requireOrigin']],
  [
    { name: 'Other', scopes: ['read', 'write'], maxTtl: 60 },
    { name: 'Other', maxTtl: 60 },
    ['name', 'maxTtl'],
  ],
]

describe('a change', () => {
  test.each(changes)('%j', async (patch, kept, changed) => {
    const answer = await service.demand(200, 'PATCH', path, patch)
    expect(answer).toEqual({ account: { ...account, ...kept, updatedAt: later } })
    expect((await service.demand(200, 'GET', path)).account).toEqual(answer.account)
    expect(await service.readAudit()).toEqual([update(...changed)])
    expect(service.told).toEqual(['change', 'flush'])
  })

  test.each([
    {},
    { name: 'Shop' },
    { status: 'active' },
    { scopes: ['read', 'write', 'read'] },
    { allowedOrigins: ['https://SHOP.example:443'] },
    { allowedOrigins: ['https://shop.example/'] },
    { name: 'Shop', maxTtl: 600, browserPrototype: false, status: 'active' },
  ])('%j changes nothing: same record, no audit entry, no call of onChange', async (patch) => {
    expect(await service.demand(200, 'PATCH', path, patch)).toEqual({ account })
    expect((await service.demand(200, 'GET', path)).account).toEqual(account)
    expect(await service.readAudit()).toEqual([])
    expect(service.told).toEqual(['flush'])
  })

  test('suspends and resumes, with one audit entry each', async () => {
    const suspended = await service.demand(200, 'PATCH', path, { status: 'suspended' })
    expect(suspended.account).toEqual({ ...account, status: 'suspended', updatedAt: later })
    expect(await service.demand(200, 'PATCH', path, { status: 'suspended' })).toEqual(suspended)
    const resumed = await service.demand(200, 'PATCH', path, { status: 'active' })
    // The clock stands still here. Two changes in the same millisecond still get different values.
    expect(resumed.account.updatedAt).toBe(new Date(NOW + 5001).toISOString())
    const entries = await service.readAudit()
    expect(entries).toHaveLength(2)
    expect(entries).toEqual(expect.arrayContaining([entry('account.suspend'), entry('account.resume')]))
    expect(service.told).toEqual(['change', 'change'])
  })

  test('of status and name together is one change with two audit entries', async () => {
    await service.demand(200, 'PATCH', path, { status: 'suspended', name: 'Other' })
    const entries = await service.readAudit()
    expect(entries).toHaveLength(2)
    expect(entries).toEqual(expect.arrayContaining([entry('account.suspend'), update('name')]))
    expect(service.told).toEqual(['change'])
  })

  test('raises updatedAt even when the clock was set back', async () => {
    service.setNow(NOW - 60_000)
    const changed = await service.demand(200, 'PATCH', path, { name: 'Other' })
    expect(changed.account.updatedAt).toBe(new Date(NOW + 1).toISOString())
  })

  test('is seen by the issuing endpoints immediately', async () => {
    const [held] = await service.storage.listCredentials(account.id)
    const find = async () => (await service.storage.findCredential(held?.id ?? ''))?.account.status
    expect(await find()).toBe('active')
    await service.demand(200, 'PATCH', path, { status: 'suspended' })
    expect(await find()).toBe('suspended')
  })
})

describe('deletion', () => {
  test('answers 204 without reading a body, and every later request gets 404', async () => {
    expect((await service.ask('DELETE', path, '{', { headers: { 'content-type': 'text/csv' } })).status).toBe(
      204,
    )
    await service.demand(404, 'DELETE', path)
    await service.demand(404, 'GET', path)
    await service.demand(404, 'PATCH', path, { name: 'Other' })
    await service.demand(404, 'POST', `${path}/credentials`, {})
    expect(await service.readAudit()).toEqual([entry('account.delete')])
    expect(service.told).toEqual(['change', 'flush'])
    expect((await service.demand(200, 'GET', '/admin/accounts')).accounts).toEqual([])
  })

  test('deletes the credentials too and stores a revocation of their tokens', async () => {
    const [held] = await service.storage.listCredentials(account.id)
    await service.demand(204, 'DELETE', path)
    await service.demand(404, 'DELETE', `/admin/credentials/${held?.id}`)
    await service.demand(404, 'POST', `/admin/credentials/${held?.id}/rotate`)
    const rules = await listRules(service.storage, NOW + 5000)
    const before = NOW + 5000 + 300_000
    expect(rules).toEqual([
      { kind: 'sub', value: account.id, account: null, before, until: before + LIFETIME * 1000 },
    ])
  })
})
