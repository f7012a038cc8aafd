// `account update` has the options of `account create`, and does what PATCH /admin/accounts/:id does.

import { describe, expect, test } from 'vitest'
import type { Json } from '../support/wire.ts'
import { createMachine } from './run.ts'
import { createShop, expectFailure, ORIGIN } from './shop.ts'

const optionsOf = (help: string): readonly string[] =>
  [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, name = '']) => name)

describe.concurrent('account update', () => {
  test('takes every option of account create that describes an account', async () => {
    const machine = createMachine()
    const create = optionsOf((await machine.run(['account', 'create', '--help'])).stdout)
    const update = optionsOf((await machine.run(['account', 'update', '--help'])).stdout)
    const secret = ['--token-file', '--force']
    expect(create).toEqual(expect.arrayContaining(['--name', '--require-origin', ...secret]))
    expect(update).toEqual(expect.arrayContaining(create.filter((name) => !secret.includes(name))))
  })

  test('changes what its options name, leaves the rest, and prints the account', async () => {
    const shop = await createShop()
    const { account: before } = await shop.json(['account', 'show', shop.accountId])
    const steps: readonly (readonly [argv: readonly string[], changed: Json])[] = [
      [['--name', 'Söhne'], { name: 'Söhne' }],
      [
        ['--origin', 'https://A.example:443', '--origin', 'http://localhost:*'],
        { allowedOrigins: ['https://a.example', 'http://localhost:*'] },
      ],
      [['--scope', 'read pay', '--scope', 'read'], { scopes: ['read', 'pay'] }],
      [['--max-ttl', '600'], { maxTtl: 600 }],
      [['--browser-prototype', '--require-origin'], { browserPrototype: true, requireOrigin: true }],
      [['--no-browser-prototype', '--no-require-origin'], { browserPrototype: false, requireOrigin: false }],
      [['--max-ttl', 'none', '--no-scopes'], { maxTtl: null, scopes: [] }],
    ]
    let expected = before
    for (const [argv, changed] of steps) {
      expected = { ...expected, ...changed, updatedAt: expect.any(String) }
      expect(await shop.json(['account', 'update', shop.accountId, ...argv])).toEqual({ account: expected })
      expect((await shop.json(['account', 'show', shop.accountId])).account).toEqual(expected)
    }
    const { entries } = await shop.json(['audit', 'list'])
    expect(entries.map(({ action }: Json) => action)).toEqual([
      ...steps.map(() => 'account.update'),
      'account.create',
    ])
    expect(entries[0].detail).toEqual({ changed: expect.arrayContaining(['maxTtl', 'scopes']) })
  }, 30_000)

  test('is in force for the next claim', async () => {
    const shop = await createShop()
    const claim = (origin: string) => shop.run(['claim', '--origin', origin, '-'], { stdin: shop.token })
    const { code, stdout, stderr } = await shop.run([
      ...['account', 'update', shop.accountId, '--origin', 'https://new.example', '--max-ttl', '60'],
    ])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^origins +https:\/\/new\.example$/m)
    expect(stdout).toMatch(/^longest token +60 s$/m)
    expect(stdout).toContain('in force in running servers within 2 seconds.')
    expect((await claim(ORIGIN)).code).toBe(1)
    expect((await claim('https://new.example')).stderr).toMatch(/^expires .*\(in 1 min\)$/m)
  })

  test('refuses wrong values, unknown ids and a call without an option, and changes nothing', async () => {
    const shop = await createShop()
    const before = await shop.json(['account', 'show', shop.accountId])
    const argv = ['account', 'update', shop.accountId]
    const wrong = ['--name', '', '--origin', 'https://*.com', '--scope', 'a"b', '--max-ttl', '9']
    const { errors } = await expectFailure(shop, [...argv, ...wrong], [1, 'invalid_request'])
    expect(errors.map(({ parameter }: Json) => parameter)).toEqual([
      'name',
      'allowedOrigins',
      'scopes.0',
      'maxTtl',
    ])
    for (const options of [
      [],
      ['--max-ttl', '1e3'],
      ['--max-ttl', 'None'],
      ['--no-scopes', '--scope', 'read'],
      ['--scope', 'read', '--no-scopes'],
      ['--name', 'a', '--name', 'b'],
      ['--status', 'suspended'],
    ])
      await expectFailure(shop, [...argv, ...options], [2, 'usage'])
    const { message } = await expectFailure(
      shop,
      ['account', 'update', 'acct_x', '--name', 'x'],
      [1, 'not_found'],
    )
    expect(message).toMatch(/account list$/)
    expect(await shop.json(['account', 'show', shop.accountId])).toEqual(before)
  })
})
