// `account suspend`, `resume` and `delete`.

import { describe, expect, test } from 'vitest'
import { createMachine } from './run.ts'
import { createShop, expectFailure, ORIGIN } from './shop.ts'

describe.concurrent('account suspend and resume', () => {
  test('secrets and tokens are refused while the account is suspended, and accepted again after it is resumed', async () => {
    const shop = await createShop()
    const browserToken = await shop.claim()
    const { account } = await shop.json(['account', 'suspend', shop.accountId])
    expect(account).toMatchObject({ id: shop.accountId, status: 'suspended', allowedOrigins: [ORIGIN] })
    expect(await shop.json(['account', 'suspend', shop.accountId])).toEqual({ account })
    expect(await shop.judge(browserToken)).toBe('token_revoked')
    const refused = await shop.run(['claim', '--origin', ORIGIN, '-'], { stdin: shop.token })
    expect([refused.code, refused.stdout]).toEqual([1, ''])

    const { code, stdout, stderr } = await shop.run(['account', 'resume', shop.accountId])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^status +active$/m)
    expect(stdout).toContain('in force in running servers within 2 seconds.\n')
    expect(await shop.judge(browserToken)).toBe('allowed')
    await shop.claim()
  })
})

describe.concurrent('account delete', () => {
  test('without a terminal it needs --yes; afterwards the tokens of the account are refused', async () => {
    const shop = await createShop()
    const browserToken = await shop.claim()
    const unsure = await shop.run(['account', 'delete', shop.accountId], { stdin: 'yes\n' })
    expect([unsure.code, unsure.stdout]).toEqual([2, ''])
    expect(unsure.stderr).toContain('--yes')
    expect(await shop.judge(browserToken)).toBe('allowed')

    expect(await shop.json(['account', 'delete', shop.accountId, '--yes'])).toEqual({
      deleted: shop.accountId,
    })
    expect(await shop.judge(browserToken)).toBe('token_revoked')
    expect((await shop.json(['account', 'list'])).accounts).toEqual([])
    await expectFailure(shop, ['account', 'delete', shop.accountId, '--yes'], [1, 'not_found'])
  })

  test('at a terminal it asks, and accepts only y and yes', async () => {
    const shop = await createShop()
    const argv = ['account', 'delete', shop.accountId]
    for (const stdin of ['', '\n', 'no\n', 'yess\n', `${shop.accountId}\nyes\n`]) {
      const { code, stdout, stderr } = await shop.run(argv, { isTerminal: true, stdin })
      expect([stdin, code, stdout]).toEqual([stdin, 1, ''])
      expect(stderr).toContain(`Delete the account ${shop.accountId} (Shop)`)
      expect(stderr).toContain('claimgate: nothing was deleted\n')
    }
    const { code, stdout } = await shop.run(argv, { isTerminal: true, stdin: ' Y \n' })
    expect([code, stdout]).toEqual([0, expect.stringContaining(`The account ${shop.accountId} is deleted`)])
    expect((await shop.json(['account', 'list'])).accounts).toEqual([])
  })
})

describe.concurrent('an unknown id', () => {
  test('gets a message that says how to find one', async () => {
    const machine = createMachine()
    const commands = [
      ['account', 'suspend', 'x'],
      ['account', 'resume', 'x'],
      ['account', 'delete', 'x', '--yes'],
    ]
    for (const argv of [...commands, ['credential', 'create', 'x']]) {
      const { message } = await expectFailure(machine, argv, [1, 'not_found'])
      expect(message).toMatch(/^there is no account with this id; see: .* account list$/)
    }
    for (const command of ['rotate', 'revoke']) {
      const { message } = await expectFailure(machine, ['credential', command, 'x'], [1, 'not_found'])
      expect(message).toMatch(/^there is no credential with this id; see: .* account list, /)
    }
  })
})
