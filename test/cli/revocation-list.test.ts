// `revocation list` shows the revocations in force, each as the answer to the call that made it.

import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import type { Json } from '../support/wire.ts'
import { createDatabase, createMachine } from './run.ts'
import { createShop, expectFailure } from './shop.ts'

const hours = (count: number): string =>
  new Date(Math.floor(Date.now() / 1000) * 1000 - count * 3_600_000).toISOString()

describe.concurrent('revocation list', () => {
  test('shows each revocation as it was answered, newest first, page by page', async () => {
    const shop = await createShop()
    const token = await shop.claim()
    const calls = [
      ['--jti', 'first'],
      ['--client', shop.credentialId],
      ['--account', shop.accountId, '--before', hours(1)],
      ['--kid', 'other-key'],
      [token],
    ]
    const made: Json[] = []
    for (const argv of calls) {
      const { stdout } = await shop.run(['revoke', ...argv, '--json'])
      made.unshift(JSON.parse(stdout).revocation)
    }
    expect(await shop.json(['revocation', 'list'])).toEqual({ revocations: made, nextCursor: null })

    const pages: Json[] = []
    let more: readonly string[] = []
    for (let cursor: string | null = ''; cursor !== null; more = ['--cursor', cursor ?? '']) {
      const page = await shop.json(['revocation', 'list', '--limit', '2', ...more])
      pages.push(page.revocations)
      cursor = page.nextCursor
    }
    expect(pages.map(({ length }) => length)).toEqual([2, 2, 1])
    expect(pages.flat()).toEqual(made)

    const text = await shop.run(['revocation', 'list', '--limit', '4'])
    expect(text.code).toBe(0)
    expect(text.stdout).toMatch(/^MADE +ENDS TOKENS OF +ISSUED BEFORE +UNTIL +REVOCATION\n/)
    expect(text.stdout).toMatch(/signing key other-key +any time /)
    expect(text.stdout).toMatch(new RegExp(`account ${shop.accountId} +${hours(1).slice(0, 14)}`))
    expect(text.stderr).toMatch(/revocation list --limit 4 --cursor \S+\n$/)
    for (const part of token.split('.')) expect(text.stdout).not.toContain(part)
  }, 30_000)

  test('shows suspensions until they are lifted, deletions, and those of customers with their account', async () => {
    const shop = await createShop()
    const list = async () => (await shop.json(['revocation', 'list'])).revocations
    await shop.json(['account', 'suspend', shop.accountId])
    expect(await list()).toMatchObject([{ sub: shop.accountId }])
    await shop.json(['account', 'resume', shop.accountId])
    expect(await list()).toEqual([])
    await shop.json(['credential', 'revoke', shop.credentialId])
    expect(await list()).toMatchObject([{ clientId: shop.credentialId }])

    const now = Date.now()
    const database = new DatabaseSync(shop.env.DATABASE_URL!.replace('sqlite:', ''))
    const insert = database.prepare(
      'insert into revocations (id, kind, value, "before", until, created_at, account_id) values (?, \'jti\', ?, ?, ?, ?, ?)',
    )
    insert.run('by-customer', 'j1', now + 9000, now + 9000, now + 5000, shop.accountId)
    insert.run('over', 'j2', now - 1, now - 1, now - 5000, null)
    database.close()
    const [newest, ...others] = await list()
    expect(newest).toMatchObject({ id: 'by-customer', jti: 'j1', sub: shop.accountId })
    expect(others).toHaveLength(1)
    const { stdout } = await shop.run(['revocation', 'list'])
    expect(stdout).toContain(`token j1 of account ${shop.accountId}`)
  }, 30_000)

  test('says that there are none, and refuses malformed limits and cursors', async () => {
    const machine = createMachine()
    await createDatabase(machine)
    const { code, stdout, stderr } = await machine.run(['revocation', 'list'])
    expect([code, stdout, stderr]).toEqual([0, '', expect.stringContaining('No revocation is in force.\n')])
    const argv = ['revocation', 'list', '--limit', '0', '--cursor', 'WzEsIiJd']
    const { errors } = await expectFailure(machine, argv, [1, 'invalid_request'])
    expect(errors.map(({ parameter }: Json) => parameter)).toEqual(['limit', 'cursor'])
  })
})
