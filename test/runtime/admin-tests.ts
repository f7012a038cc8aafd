// The admin API on one runtime: its rows, and tests that need more than one request.

import { describe, expect, test } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { DEFAULT_PEPPER, formatAccountToken } from '../../src/signing/secret.ts'
import { everywhere, type RowRunner } from '../support/rows.ts'
import type { Json, WireAnswer, WireRequest } from '../support/wire.ts'
import { expectProblem, SITE, type World } from '../support/world.ts'
import { memberRows, originRows, pageRows } from './admin-account-rows.ts'
import { changeRows } from './admin-change-rows.ts'
import { describeChanges } from './admin-change-tests.ts'
import { type AdminRow, asAdmin, authRows, bodyRows, pathRows, postAccount } from './admin-rows.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/
const time = expect.stringMatching(ISO)
/** Number of accounts: enough that some are created in the same millisecond, and that they fill several pages. */
const CROWD = 23

/** Defines the tests of the admin API. `getWorld` is called when the tests run. */
export function describeAdmin(getWorld: () => World, runner: RowRunner): void {
  async function send(request: WireRequest): Promise<WireAnswer> {
    const answer = await getWorld().send(request)
    expectClosed(answer)
    return answer
  }
  const get = (path: string, headers: Record<string, string> = {}) => send(asAdmin('GET', path, { headers }))
  const create = async (members: object): Promise<Json> => {
    const answer = await send(postAccount(members))
    expect(answer.status, answer.text).toBe(201)
    return answer.json()
  }

  /** Reads all records of a listing page by page. */
  async function walk(path: string, member: string, limit: number): Promise<readonly Json[]> {
    const records: Json[] = []
    let cursor: string | null = null
    for (let pages = 0; pages < 400; pages += 1) {
      const query = new URLSearchParams({ limit: String(limit), ...(cursor !== null && { cursor }) })
      const body: Json = (await get(`${path}?${query}`)).json()
      expect(Object.keys(body).sort()).toEqual([member, 'nextCursor'].sort())
      records.push(...body[member])
      if (body.nextCursor === null) {
        expect(body[member].length).toBeLessThanOrEqual(limit)
        return records
      }
      expect(body[member]).toHaveLength(limit)
      cursor = body.nextCursor
    }
    throw new Error(`the listing at ${path} has no end`)
  }

  for (const [group, rows] of [
    ['admin: authentication', everywhere(authRows)],
    ['admin: paths and methods', everywhere(pathRows)],
    ['admin: bodies', everywhere(bodyRows)],
    ['admin: members', memberRows],
    ['admin: allowed origins', originRows],
    ['admin: pages', pageRows],
    ['admin: faults of changes', changeRows],
  ] as const) {
    runner.describe(group, rows, async (row) => {
      const world = getWorld()
      const request = row.request(world)
      expectRow(row, await send(request), request.method, world)
    })
  }

  describe('admin: answers', () => {
    test('OPTIONS with the token answers 204 with Allow', async () => {
      const answer = await send(asAdmin('OPTIONS', '/admin/accounts', { headers: { origin: SITE } }))
      expect([answer.status, answer.text]).toEqual([204, ''])
      expect(namesOf(answer.headers.get('allow'))).toEqual(expect.arrayContaining(['GET', 'POST', 'OPTIONS']))
    })

    test('HEAD is GET without a body', async () => {
      const answer = await send(asAdmin('HEAD', '/admin/accounts'))
      expect([answer.status, answer.text]).toEqual([200, ''])
    })

    test('the scheme is accepted in any case, and no page may read an answer, not even from an allowed origin', async () => {
      const headers = { authorization: asAdmin('GET', '').headers?.authorization as string, origin: SITE }
      headers.authorization = headers.authorization.replace('Bearer', 'bEARER')
      expect((await get('/admin/accounts', headers)).status).toBe(200)
    })

    test('the answer to a new account has all of its members, and only this answer shows the secret', async () => {
      const sent = {
        name: 'To the letter',
        allowedOrigins: [SITE, 'http://localhost:*'],
        scopes: ['read', 'write'],
        maxTtl: 600,
        browserPrototype: true,
        requireOrigin: true,
      }
      const created = await send(postAccount(sent))
      expect(created.headers.get('content-type')).toBe('application/json')
      const { account, credential } = created.json()
      expect(created.json()).toEqual({
        account: {
          id: expect.stringMatching(/^acct_[0-9A-Za-z]{8,}$/),
          ...sent,
          status: 'active',
          createdAt: time,
          updatedAt: account.createdAt,
        },
        credential: {
          id: expect.stringMatching(/^[0-9A-Za-z]+$/),
          token: formatAccountToken(credential),
          clientId: credential.id,
          clientSecret: expect.stringMatching(/^[0-9A-Za-z]{43,}$/),
        },
      })
      expect(Math.abs(Date.parse(account.createdAt) - Date.now())).toBeLessThan(60_000)

      const shown = await get(`/admin/accounts/${account.id}`)
      expect(shown.headers.get('content-type')).toBe('application/json')
      expect(shown.json()).toEqual({
        account,
        credentials: [
          {
            id: credential.id,
            name: expect.stringMatching(/./),
            status: 'active',
            scopes: ['read', 'write'],
            browserPrototype: true,
            allowLocalhost: true,
            createdAt: account.createdAt,
            lastUsedAt: null,
            expiresAt: null,
            previousExpiresAt: null,
          },
        ],
      })
      const listed = await walk('/admin/accounts', 'accounts', 200)
      expect(listed.find(({ id }) => id === account.id)).toEqual(account)

      const hash = await nodeCryptoEngine.createSecretHash(DEFAULT_PEPPER)(credential.clientSecret)
      const paths = [`/admin/accounts/${account.id}`, '/admin/accounts?limit=200', '/admin/audit?limit=200']
      const later = await Promise.all(paths.map((path) => get(path)))
      for (const { text } of later) {
        expect(text).toContain(account.id)
        expect(text).not.toContain(credential.clientSecret)
      }
      for (const { text } of [created, ...later]) {
        expect(text).not.toContain(hash)
        expect(text).not.toMatch(/hash|pepper|"d"/i)
      }
    })
  })

  describe('admin: listings', () => {
    test('accounts come oldest first, each once, for every page size', async () => {
      const names = Array.from({ length: CROWD }, (_, index) => `Crowd ${index}`)
      const made = await Promise.all(names.map((name) => create({ name })))
      const all = await walk('/admin/accounts', 'accounts', 200)
      const ids = all.map(({ id }) => id)
      expect(new Set(ids).size).toBe(ids.length)
      expect(ids).toEqual(expect.arrayContaining(made.map(({ account }) => account.id)))
      expectOrdered(all.map(({ createdAt }) => Date.parse(createdAt)))
      for (const limit of [7, 3]) expect(await walk('/admin/accounts', 'accounts', limit)).toEqual(all)
      expect((await get('/admin/accounts')).json().accounts).toEqual(all.slice(0, 50))
    })

    test('an account created between two pages comes at the end and moves no other', async () => {
      const before = await walk('/admin/accounts', 'accounts', 200)
      const first = (await get('/admin/accounts?limit=5')).json()
      const { account } = await create({ name: 'Late' })
      const query = new URLSearchParams({ limit: '200', cursor: first.nextCursor })
      const rest = (await get(`/admin/accounts?${query}`)).json()
      expect([...first.accounts, ...rest.accounts]).toEqual([...before, account])
    })

    test('audit entries come newest first, one for each creation and none for refusals', async () => {
      const { account } = await create({ name: 'Newest' })
      const entries = await walk('/admin/audit', 'entries', 200)
      expect(entries[0]).toMatchObject({ actor: 'admin', action: 'account.create', target: account.id })
      for (const entry of entries) {
        const [id, at] = [expect.stringMatching(/./), time]
        expect(entry).toMatchObject({ id, at, actor: id, action: id, target: id })
      }
      expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length)
      expectOrdered(entries.map(({ at }) => -Date.parse(at)))
      const creations = entries.filter(({ action }) => action === 'account.create')
      const accounts = await walk('/admin/accounts', 'accounts', 200)
      expect(creations.map(({ target }) => target).sort()).toEqual(accounts.map(({ id }) => id).sort())
      expect(entries.filter(({ action }) => action.startsWith('credential.'))).toEqual([])
      expect(await walk('/admin/audit', 'entries', 7)).toEqual(entries)
      expect((await get('/admin/audit')).json().entries).toEqual(entries.slice(0, 50))
    })

    test('a cursor of one listing is refused by the other', async () => {
      const accounts = (await get('/admin/accounts?limit=1')).json()
      const audit = (await get('/admin/audit?limit=1')).json()
      for (const [path, cursor] of [
        ['/admin/audit', accounts.nextCursor],
        ['/admin/accounts', audit.nextCursor],
      ]) {
        const answer = await get(`${path}?${new URLSearchParams({ cursor })}`)
        const { errors } = expectProblem(answer, 422, 'invalid_request', getWorld())
        expect(errors).toEqual([{ parameter: 'cursor', message: expect.any(String) }])
      }
    })
  })

  // Last, because it changes records that the listings above expect.
  describeChanges(getWorld, send)
}

function expectRow(row: AdminRow, answer: WireAnswer, method: string, world: World): void {
  if (!isRefusal(row.expect)) {
    expect(answer.status, answer.text).toBe(201)
    expect(answer.json().account).toMatchObject(row.expect)
    return
  }
  const [status, code, ...parameters] = row.expect
  if (method === 'HEAD') {
    expect([answer.status, answer.text]).toEqual([status, ''])
    return
  }
  const problem = expectProblem(answer, status, code, world)
  if (status === 401) expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  if (status === 405) {
    expect(namesOf(answer.headers.get('allow'))).toEqual(expect.arrayContaining([...(row.allows ?? [])]))
    expect(namesOf(answer.headers.get('allow'))).not.toContain(method)
  }
  if (status === 422) {
    // A fault inside a list is named with its index: `scopes.0`.
    const named = problem.errors.map(({ parameter }: Json) => parameter.split('.')[0])
    expect([...new Set(named)].sort()).toEqual([...parameters].sort())
  } else {
    expect(problem).not.toHaveProperty('errors')
  }
}

function isRefusal(expected: AdminRow['expect']): expected is readonly [number, string, ...string[]] {
  return Array.isArray(expected)
}

/** Checks what every answer must have: no CORS headers, and no-store. */
function expectClosed(answer: WireAnswer): void {
  const names = [...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))
  expect(names).toEqual([])
  expect(answer.headers.get('cache-control')).toBe('no-store')
}

function expectOrdered(numbers: readonly number[]): void {
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
}

function namesOf(list: string | null): readonly string[] {
  return (list ?? '').split(',').map((name) => name.trim())
}
