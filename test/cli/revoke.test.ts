// `revoke` ends one token, or all tokens of a credential, an account or a signing key.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { payloadOf } from '../support/world.ts'
import { createMachine, readKey } from './run.ts'
import { createShop, expectFailure, type Shop } from './shop.ts'

const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
const RECORD = { id: expect.any(String), issuedBefore: INSTANT, createdAt: INSTANT, expiresAt: INSTANT }

describe.concurrent('one token', () => {
  test.each([
    ['given as an argument', (token: string) => [[token], {}] as const],
    ['given on stdin', (token: string) => [['-'], { stdin: `${token}\n` }] as const],
    ['given by its jti', (token: string) => [['--jti', String(payloadOf(token).jti)], {}] as const],
  ])('%s', async (_, name) => {
    const shop = await createShop()
    const [token, other] = [await shop.claim(), await shop.claim()]
    const [argv, options] = name(token)
    const { code, stdout, stderr } = await shop.run(['revoke', ...argv, '--json'], options)
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toEqual({ revocation: { ...RECORD, jti: payloadOf(token).jti } })
    expect([await shop.judge(token), await shop.judge(other)]).toEqual(['token_revoked', 'allowed'])
  })

  test('is only decoded: the jti of a forged token is revoked as well', async () => {
    const shop = await createShop()
    const [head = '', body = ''] = (await shop.claim()).split('.')
    const forged = `${head}.${body}.${Buffer.alloc(64, 1).toString('base64url')}`
    const { revocation } = await shop.json(['revoke', forged])
    expect(revocation.jti).toBe(payloadOf(forged).jti)
  })
})

describe.concurrent('all tokens', () => {
  const kinds: readonly (readonly [string, string, string, (shop: Shop) => string])[] = [
    ['--client', 'clientId', 'credential', ({ credentialId }) => credentialId],
    ['--account', 'sub', 'account', ({ accountId }) => accountId],
    ['--kid', 'kid', 'signing key', ({ dir }) => readKey(dir, 'current').kid ?? ''],
  ]
  test.each(kinds)(
    'of %s that were issued until now end, and none that is issued afterwards',
    async (option, member, word, idOf) => {
      const shop = await createShop()
      const token = await shop.claim()
      const id = idOf(shop)
      expect(await shop.json(['revoke', option, id])).toEqual({ revocation: { ...RECORD, [member]: id } })
      expect(await shop.judge(token)).toBe('token_revoked')
      expect(await shop.judge(await shop.claim())).toBe('allowed')

      const human = await shop.run(['revoke', option, id])
      expect([human.code, human.stderr]).toEqual([0, ''])
      expect(human.stdout).toMatch(new RegExp(`^${word} +${id}\nended +(its|all its) tokens`))
      expect(human.stdout).toContain('The revocation is in force in running servers within 2 seconds.\n')
    },
  )

  test('of a key: the key expires immediately, and the pending key signs, however young it is', async () => {
    const shop = await createShop()
    await shop.claim()
    const [kid = '', next = ''] = [readKey(shop.dir, 'current').kid, readKey(shop.dir, 'pending').kid]
    await shop.json(['revoke', '--kid', kid])
    const { keys } = await shop.json(['key', 'list'])
    expect(keys).toMatchObject([
      { kid: next, state: 'current' },
      { state: 'pending' },
      { kid, state: 'expired' },
    ])
    const after = JSON.parse(atob((await shop.claim()).split('.')[0] ?? ''))
    expect(after.kid).toBe(next)
  })

  test('of a key all end, whatever --before says', async () => {
    const shop = await createShop()
    const token = await shop.claim()
    const kid = readKey(shop.dir, 'current').kid ?? ''
    const { stdout } = await shop.run(['revoke', '--kid', kid, '--before', '2020-01-01T00:00:00Z'])
    expect(stdout).toMatch(/^ended +all its tokens$/m)
    expect(await shop.judge(token)).toBe('token_revoked')
  })

  test('stay ended for the longest lifetime ever allowed, also after the limit was lowered', async () => {
    const shop = await createShop({ CLAIMGATE_MAX_TTL: '86400' })
    const env = { CLAIMGATE_MAX_TTL: '60', CLAIMGATE_TOKEN_TTL: '60' }
    const { revocation } = await shop.json(['revoke', '--client', shop.credentialId], { env })
    expect(Date.parse(revocation.expiresAt) - Date.now()).toBeGreaterThan(86_400_000)
  })

  test.each(['seconds', 'ISO 8601'])(
    'issued before a time end, when the time is given in %s',
    async (form) => {
      const shop = await createShop()
      const older = await shop.claim()
      const from = Number(payloadOf(older).iat) + 1
      await sleep(Math.max(0, from * 1000 - Date.now()))
      const newer = await shop.claim()
      const before = form === 'seconds' ? String(from) : new Date(from * 1000).toISOString()
      const { revocation } = await shop.json(['revoke', '--account', shop.accountId, '--before', before])
      expect(revocation.issuedBefore).toBe(new Date(from * 1000).toISOString())
      expect([await shop.judge(older), await shop.judge(newer)]).toEqual(['token_revoked', 'allowed'])
    },
  )
})

describe.concurrent('a wrong command line', () => {
  test('that names nothing, or two things, is a usage error', async () => {
    const machine = createMachine()
    for (const argv of [[], ['x', '--jti', 'y'], ['--client', 'a', '--kid', 'b'], ['--before', '1']]) {
      const { message } = await expectFailure(machine, ['revoke', ...argv], [2, 'usage'])
      expect(message).toMatch(/^say what to revoke: /)
    }
    expect(existsSync(join(machine.dir, 'claimgate.db'))).toBe(false)
  })

  test('names the options at fault, and revokes nothing', async () => {
    const machine = createMachine()
    const faults = [
      [['--jti', 'two words'], '--jti'],
      [['--client', 'a-b'], '--client'],
      [['--account', 'Shop'], '--account'],
      [['--kid', 'a.b'], '--kid'],
      [['--jti', 'a', '--before', 'yesterday'], '--before'],
      [['--jti', 'a', '--before', '2099-01-01T00:00:00Z'], '--before'],
      [['--jti', 'a', '--before', '-1'], '--before'],
    ] as const
    for (const [argv, flag] of faults) {
      const { code, stdout, stderr } = await machine.run(['revoke', ...argv])
      expect([argv, code, stdout]).toEqual([argv, 1, ''])
      expect(stderr.split('\n')[1]).toMatch(new RegExp(`^  ${flag}: must `))
    }
    expect(existsSync(join(machine.dir, 'claimgate.db'))).toBe(false)
  })

  test('with an id that no record has is accepted, with a warning', async () => {
    const machine = createMachine()
    for (const argv of [
      ['--client', 'nobody'],
      ['--account', 'acct_nobody'],
      ['--kid', 'nobody'],
    ]) {
      const { code, stdout, stderr } = await machine.run(['revoke', ...argv])
      expect([code, stdout.includes('recorded until')]).toEqual([0, true])
      expect(stderr).toMatch(/^claimgate: no record has this id/)
    }
    expect(existsSync(join(machine.dir, 'keys'))).toBe(false)
  })

  test('with a secret or a token in the wrong place is refused, without repeating it', async () => {
    const shop = await createShop()
    const browserToken = await shop.claim()
    const [head = '', body = '', signature = ''] = browserToken.split('.')
    const secret = shop.token.split('_')[2] ?? ''
    const cases: readonly (readonly [readonly string[], string])[] = [
      [[shop.token], `credential revoke ${shop.credentialId}`],
      [['--jti', shop.token], '--jti'],
      [['--client', shop.token], '--client'],
      [['--account', browserToken], '--account'],
      [['--jti', browserToken], '--jti'],
      [[`${browserToken}.x`], 'this is not a browser token'],
      [[`${head}.${body}`], 'this is not a browser token'],
      [[browserToken, browserToken], 'too many arguments'],
      [[browserToken, `--${browserToken}`], 'unknown option'],
    ]
    for (const [argv, text] of cases) {
      for (const json of [[], ['--json']]) {
        const { code, stdout, stderr } = await shop.run(['revoke', ...argv, ...json])
        expect([argv, code === 0, stdout]).toEqual([argv, false, ''])
        if (json.length === 0) expect(stderr).toContain(text)
        for (const part of [secret, signature, body]) expect(stderr).not.toContain(part)
      }
    }
    expect(await shop.judge(browserToken)).toBe('allowed')
  })
})
