// Commands while the folder of signing keys cannot be changed or read: a revoked key stays revoked, and each command says
// what is wrong.

import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import type { Json } from '../support/wire.ts'
import { readKey } from './run.ts'
import { createShop, ORIGIN } from './shop.ts'

const kidOf = (token: string): string => JSON.parse(atob(token.split('.')[0] ?? '')).kid

test.concurrent('locked: a revoked key is shown as expired, and the pending key signs; when that is revoked too, nothing signs', async () => {
  const shop = await createShop()
  const old = await shop.claim()
  const leaked = kidOf(old)
  const next = readKey(shop.dir, 'pending').kid ?? ''
  const statesOf = async (): Promise<Json> =>
    (await shop.json(['key', 'list'])).keys.map(({ kid, state }: Json) => `${state} ${kid}`)
  const revoke = async (kid: string): Promise<string> => {
    const { code, stdout, stderr } = await shop.run(['revoke', '--kid', kid, '--json'])
    expect([code, JSON.parse(stdout).revocation.kid]).toEqual([0, kid])
    return JSON.parse(stderr).warning
  }
  const holder = new DatabaseSync(join(shop.dir, 'keys', '.lock'))
  holder.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  try {
    expect(await revoke(leaked)).toMatch(
      /\.lock: is held by another process.*the key is therefore still in its folder/,
    )
    expect(await statesOf()).toEqual([`current ${next}`, `expired ${leaked}`])
    expect(kidOf(await shop.claim())).toBe(next)
    expect(await shop.judge(old)).toBe('token_revoked')
    await revoke(next)
    expect((await statesOf()).sort()).toEqual([`expired ${leaked}`, `expired ${next}`].sort())
    const { code, stdout, stderr } = await shop.run(['claim', '--origin', ORIGIN, '-', '--json'], {
      stdin: shop.token,
    })
    expect([code, stdout, JSON.parse(stderr).error]).toEqual([1, '', 'unavailable'])
  } finally {
    holder.close()
  }
}, 60_000)

test.concurrent('damaged: a key can still be revoked, and the damaged file is named', async () => {
  const shop = await createShop()
  const kid = kidOf(await shop.claim())
  writeFileSync(join(shop.dir, 'keys', 'half.json'), '{"kid":"half')
  const { code, stdout, stderr } = await shop.run(['revoke', '--kid', kid])
  expect([code, stderr]).toEqual([0, expect.stringContaining('half.json: is not JSON')])
  expect(stdout).toContain(kid)
}, 30_000)

test.concurrent('gone: warns when new keys are created for a database whose credentials were used with earlier keys', async () => {
  const shop = await createShop({ CLAIMGATE_ISSUER: 'https://issuer.example' })
  const warningsOf = async (argv: readonly string[], stdin?: string): Promise<string> => {
    rmSync(join(shop.dir, 'keys'), { recursive: true, force: true })
    const { code, stderr } = await shop.run(argv, stdin === undefined ? {} : { stdin })
    expect([argv, code]).toEqual([argv, 0])
    return stderr
  }
  const claim = ['claim', '--origin', ORIGIN, '-']
  const rotate = ['key', 'rotate', '--force']
  expect(await warningsOf(claim, shop.token)).not.toContain('new signing keys')
  expect(await warningsOf(rotate)).not.toContain('new signing keys')
  const database = new DatabaseSync(join(shop.dir, 'claimgate.db'))
  database.exec('UPDATE credentials SET last_used_at = 1')
  database.close()
  for (const [argv, stdin] of [[claim, shop.token] as const, [rotate] as const])
    expect(await warningsOf(argv, stdin)).toContain('claimgate: new signing keys were made although')
}, 30_000)

/** A control character that is not a line end. */
const CONTROL = /(?!\n)\p{Cc}/u

test.concurrent('control characters in a warning do not reach the terminal, nor break its JSON', async () => {
  const keys = 'ke\x1b[31m\x9bys\u202e'
  const shop = await createShop()
  const env = { CLAIMGATE_KEYS_DIR: join(shop.dir, keys) }
  mkdirSync(env.CLAIMGATE_KEYS_DIR)
  chmodSync(env.CLAIMGATE_KEYS_DIR, 0o777)
  for (const argv of [['key', 'list'], ['doctor'], ['inspect', await shop.claim()]]) {
    const text = await shop.run(argv, { env })
    expect([argv, text.code]).toEqual([argv, 0])
    expect(text.stdout + text.stderr).not.toMatch(CONTROL)
    const { stderr } = await shop.run([...argv, '--json'], { env })
    expect(stderr).not.toMatch(CONTROL)
    for (const line of stderr.trimEnd().split('\n')) expect(JSON.parse(line)).toBeTypeOf('object')
    if (argv[0] !== 'inspect') expect(stderr).toContain('users other than its owner may write')
  }
}, 30_000)

test.concurrent('writable by others: the commands that use the keys warn', async () => {
  const shop = await createShop({ CLAIMGATE_KEY_PUBLISH: '0' })
  await shop.claim()
  const quiet = await shop.run(['key', 'list'])
  expect(quiet.stderr).not.toContain('claimgate:')
  chmodSync(join(shop.dir, 'keys'), 0o777)
  for (const argv of [['key', 'list'], ['key', 'rotate'], ['doctor']]) {
    const { code, stderr } = await shop.run(argv)
    expect([argv, code]).toEqual([argv, 0])
    expect(stderr).toMatch(/^claimgate: .*keys: users other than its owner may write to this folder/m)
  }
}, 30_000)
