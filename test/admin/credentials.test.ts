// Creating, rotating and revoking credentials: the secret that is shown once, the stored record, the audit log, and
// whether `onChange` is called.

import { beforeEach, describe, expect, test } from 'vitest'
import type { Credential } from '../../src/claims/records/account.ts'
import { parseAccountToken } from '../../src/signing/secret.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import { listRules, makeAudit } from '../support/records.ts'
import type { Json } from '../support/wire.ts'
import { type AdminService, NOW, startAdmin } from './service.ts'

let service: AdminService
let account: Json
let first: Json
let path: string
beforeEach(async () => {
  service = await startAdmin()
  const created = await service.createAccount()
  account = created.account
  first = created.credential
  path = `/admin/accounts/${account.id}/credentials`
})

const add = async (body?: object): Promise<Json> => (await service.demand(201, 'POST', path, body)).credential
const rotate = async (body?: object): Promise<Json> =>
  (await service.demand(200, 'POST', `/admin/credentials/${first.id}/rotate`, body)).credential

async function readCredential(id: string): Promise<Credential> {
  const found = await service.storage.listCredentials(account.id)
  return found.find((credential) => credential.id === id) as Credential
}

async function showCredential(id: string): Promise<Json> {
  const { credentials } = await service.demand(200, 'GET', `/admin/accounts/${account.id}`)
  return credentials.find((credential: Json) => credential.id === id)
}

const entry = (action: string, target: string, detail: object | null): Json => ({
  id: expect.any(String),
  at: new Date(NOW).toISOString(),
  actor: 'admin',
  action,
  target,
  detail,
})

describe('a new credential', () => {
  const defaults = {
    name: 'credential',
    status: 'active',
    scopes: ['read', 'write'],
    browserPrototype: false,
    allowLocalhost: true,
    expiresAt: null,
  }
  test.each<readonly [sent: object | undefined, shown: object]>([
    [undefined, {}],
    [{}, {}],
    [{ name: 'CI' }, { name: 'CI' }],
    [{ scopes: ['write', 'write'] }, { scopes: ['write'] }],
    [{ scopes: ['write', 'read'] }, { scopes: ['write', 'read'] }],
    [{ scopes: [] }, { scopes: [] }],
    [
      { browserPrototype: true, allowLocalhost: false },
      { browserPrototype: true, allowLocalhost: false },
    ],
    [{ expiresAt: null }, {}],
    [{ expiresAt: '2026-01-01T12:00:00.251Z' }, { expiresAt: '2026-01-01T12:00:00.251Z' }],
    [{ expiresAt: '2030-06-30T12:00:00+02:00' }, { expiresAt: '2030-06-30T10:00:00.000Z' }],
  ])('%j', async (sent, shown) => {
    const credential = await add(sent)
    expect(Object.keys(credential).sort()).toEqual(['clientId', 'clientSecret', 'id', 'token'])
    const { id, clientId, clientSecret, token } = credential
    expect(clientId).toBe(id)
    expect(clientSecret).toMatch(/^[0-9A-Za-z]{43}$/)
    expect(parseAccountToken(token)).toEqual({ clientId, clientSecret })
    expect((await readCredential(id)).secretHash).toBe(await service.hashSecret(clientSecret))
    expect(await showCredential(id)).toEqual({
      ...defaults,
      ...shown,
      id,
      createdAt: new Date(NOW).toISOString(),
      lastUsedAt: null,
      previousExpiresAt: null,
    })
    expect(await service.readAudit()).toEqual([entry('credential.create', id, { account: account.id })])
    // A new credential neither ends tokens nor brings any back.
    expect(service.told).toEqual(['flush'])
  })

  test('without scopes has those of the account, also after the account changes', async () => {
    const { id } = await add({})
    await service.demand(200, 'PATCH', `/admin/accounts/${account.id}`, { scopes: ['other'] })
    expect((await showCredential(id)).scopes).toEqual(['other'])
  })

  test('can be added to a suspended account', async () => {
    await service.demand(200, 'PATCH', `/admin/accounts/${account.id}`, { status: 'suspended' })
    await add({})
  })
})

describe('rotation', () => {
  const previousExpiresAt = (seconds: number) => new Date(NOW + seconds * 1000).toISOString()

  test.each<readonly [body: object | string | undefined, overlap: number]>([
    [undefined, 86_400],
    ['', 86_400],
    [{}, 86_400],
    [{ overlap: 1 }, 1],
    [{ overlap: 2_592_000 }, 2_592_000],
  ])('with %j', async (body, overlap) => {
    const { secretHash } = await readCredential(first.id)
    const rotated = await rotate(body as object)
    expect(rotated).toEqual({
      id: first.id,
      token: expect.any(String),
      clientId: first.id,
      clientSecret: expect.stringMatching(/^[0-9A-Za-z]{43}$/),
      previousExpiresAt: previousExpiresAt(overlap),
    })
    expect(rotated.clientSecret).not.toBe(first.clientSecret)
    expect(parseAccountToken(rotated.token)).toEqual({
      clientId: first.id,
      clientSecret: rotated.clientSecret,
    })
    expect(await readCredential(first.id)).toMatchObject({
      secretHash: await service.hashSecret(rotated.clientSecret),
      previousHash: secretHash,
      previousExpiresAt: NOW + overlap * 1000,
    })
    expect((await showCredential(first.id)).previousExpiresAt).toBe(previousExpiresAt(overlap))
    const detail = { account: account.id, overlap }
    expect(await service.readAudit()).toEqual([entry('credential.rotate', first.id, detail)])
    expect(service.told).toEqual(['change', 'flush'])
  })

  test('accepts an empty body of any media type', async () => {
    const asked = `/admin/credentials/${first.id}/rotate`
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const answer = await service.ask('POST', asked, '', { headers: { 'content-type': type } })
      expect(answer.status).toBe(200)
    }
  })

  test('without overlap ends the old secret immediately', async () => {
    const rotated = await rotate({ overlap: 0 })
    // That is the time of the rotation itself: the old secret has no time left.
    expect(rotated.previousExpiresAt).toBe(previousExpiresAt(0))
    expect((await showCredential(first.id)).previousExpiresAt).toBeNull()
    expect(await readCredential(first.id)).toMatchObject({ previousHash: null, previousExpiresAt: null })
  })

  test('a second time ends the oldest secret immediately and keeps the one before', async () => {
    const second = await rotate()
    service.setNow(NOW + 1000)
    const third = await rotate({ overlap: 60 })
    expect(await readCredential(first.id)).toMatchObject({
      secretHash: await service.hashSecret(third.clientSecret),
      previousHash: await service.hashSecret(second.clientSecret),
      previousExpiresAt: NOW + 61_000,
    })
  })

  test('is seen by the issuing endpoints immediately', async () => {
    const find = async () => (await service.storage.findCredential(first.id))?.credential.secretHash
    const before = await find()
    const rotated = await rotate()
    expect(await find()).toBe(await service.hashSecret(rotated.clientSecret))
    expect(await find()).not.toBe(before)
  })
})

test('showing an account first writes down uses that are still in memory', async () => {
  service.uses.set(first.id, NOW - 1)
  expect((await showCredential(first.id)).lastUsedAt).toBe(new Date(NOW - 1).toISOString())
})

test('revoking answers 204, then 404; the credential stays listed and its tokens are ended', async () => {
  const asked = `/admin/credentials/${first.id}`
  expect((await service.ask('DELETE', asked, '{', { headers: { 'content-type': 'x' } })).status).toBe(204)
  await service.demand(404, 'DELETE', asked)
  expect(await showCredential(first.id)).toMatchObject({ id: first.id, status: 'revoked' })
  expect(await listRules(service.storage, NOW)).toMatchObject([{ kind: 'client_id', value: first.id }])
  expect(await service.readAudit()).toEqual([entry('credential.revoke', first.id, null)])
  expect(service.told).toEqual(['change', 'flush'])
})

test('a rotation by another process is respected even when the cache still has the old record', async () => {
  const inner = createMemoryStorage()
  service = await startAdmin(inner)
  const created = await service.createAccount()
  account = created.account
  first = created.credential
  const found = await service.storage.findCredential(first.id)
  const change = { secretHash: 'other', previousHash: null, previousExpiresAt: null }
  const audit = makeAudit({ action: 'credential.rotate' })
  expect(await inner.replaceSecret(first.id, change, found?.credential.secretHash ?? '', audit)).toBe(true)
  expect((await service.storage.findCredential(first.id))?.credential).toEqual(found?.credential)
  await rotate()
  expect(await readCredential(first.id)).toMatchObject({ previousHash: 'other' })
})
