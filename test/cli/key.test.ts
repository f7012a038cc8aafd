// The commands `key list` and `key rotate`: output, exit codes, and which keys the store holds afterwards.

import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createFileKeyStore } from '../../src/adapters/node/key-files.ts'
import { createSigningKey } from '../../src/signing/make-keys.ts'
import type { Json } from '../support/wire.ts'
import { createMachine, type Machine, readKey } from './run.ts'
import { createShop, expectFailure } from './shop.ts'

const INSTANT = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

async function statesOf(machine: Machine): Promise<Readonly<Record<string, string>>> {
  const { keys } = await machine.json(['key', 'list'])
  return Object.fromEntries(keys.map(({ kid, state }: Json) => [kid, state]))
}

describe('while there are no signing keys', () => {
  test('key list says that the folder does not exist, exit 1, and creates none', async () => {
    const machine = createMachine()
    const { message } = await expectFailure(machine, ['key', 'list'], [1, 'unavailable'])
    expect(message).toMatch(/keys: does not exist; check CLAIMGATE_KEYS_DIR and the current folder\. /)
    const list = await machine.run(['key', 'list'])
    expect([list.code, list.stdout]).toEqual([1, ''])
    expect(list.stderr).toContain('the server and the command claim create them when they first need them')
    expect(existsSync(join(machine.dir, 'claimgate.db'))).toBe(false)
    expect(existsSync(join(machine.dir, 'keys'))).toBe(false)
  })

  test('key list in an empty folder, and key rotate, print that there are none, and create none', async () => {
    const machine = createMachine()
    const { message } = await expectFailure(machine, ['key', 'rotate'], [1, 'conflict'])
    expect(message).toContain('there are no signing keys yet')
    const folder = join(machine.dir, 'keys')
    expect(existsSync(folder)).toBe(false)
    mkdirSync(folder)
    expect(await machine.json(['key', 'list'])).toEqual({ keys: [] })
    const list = await machine.run(['key', 'list'])
    expect([list.code, list.stdout]).toEqual([0, ''])
    expect(list.stderr).toContain(
      'There are no signing keys yet; the server and the command claim create them',
    )
    expect(readdirSync(folder)).toEqual([])
  })

  test('key rotate --force creates a current and a pending key', async () => {
    const machine = createMachine()
    const { keys } = await machine.json(['key', 'rotate', '--force'])
    expect(keys).toMatchObject([{ state: 'current' }, { state: 'pending' }])
    expect(await machine.json(['key', 'list'])).toEqual({ keys })
  })
})

describe('key list', () => {
  test('prints the state and the times of each key, and no key material', async () => {
    const shop = await createShop()
    await shop.claim()
    const [current, pending] = [readKey(shop.dir, 'current'), readKey(shop.dir, 'pending')]
    const document = await shop.run(['key', 'list', '--json'])
    const row = { alg: 'ES256', createdAt: INSTANT, expiresAt: null }
    expect(JSON.parse(document.stdout)).toEqual({
      keys: [
        { ...row, kid: current.kid, state: 'current', currentSince: INSTANT },
        { ...row, kid: pending.kid, state: 'pending', currentSince: null },
      ],
    })
    const human = await shop.run(['key', 'list'])
    expect(human.stdout).toMatch(
      new RegExp(
        `^KEY .*\n${current.kid}  ES256  current  \\S+Z  \\S+Z\n${pending.kid}  ES256  pending  \\S+Z  not yet\n$`,
      ),
    )
    for (const { d = '?', x = '?' } of [current, pending]) {
      for (const secret of [d, x]) expect(document.stdout + human.stdout).not.toContain(secret)
    }
  })
})

describe('key rotate', () => {
  test('is refused while verifiers may not know the pending key, unless it is forced', async () => {
    const shop = await createShop()
    const old = await shop.claim()
    const before = await statesOf(shop)
    const { message } = await expectFailure(shop, ['key', 'rotate'], [1, 'conflict'])
    expect(message).toMatch(/before \S+Z \(in 1[45] min\); wait, or pass --force; see: .* key list$/)
    expect(await statesOf(shop)).toEqual(before)

    const current = readKey(shop.dir, 'current').kid ?? ''
    const pending = readKey(shop.dir, 'pending').kid ?? ''
    const { code, stdout, stderr } = await shop.run(['key', 'rotate', '--force'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('The new current key is in force in running servers within 2 seconds.\n')
    expect(stdout).toMatch(new RegExp(`^${current}  ES256  retiring .* \\(in 24 h\\)$`, 'm'))
    expect(await statesOf(shop)).toMatchObject({ [current]: 'retiring', [pending]: 'current' })
    expect(Object.values(await statesOf(shop)).sort()).toEqual(['current', 'pending', 'retiring'])
    expect(await shop.judge(old)).toBe('allowed')
    const header = JSON.parse(atob((await shop.claim()).split('.')[0] ?? ''))
    expect(header.kid).toBe(pending)
  })

  test('needs no --force once the pending key has been published long enough', async () => {
    const shop = await createShop({ CLAIMGATE_KEY_PUBLISH: '0' })
    await shop.claim()
    const pending = readKey(shop.dir, 'pending').kid
    const { keys } = await shop.json(['key', 'rotate'])
    expect(keys.map(({ state }: Json) => state)).toEqual(['current', 'pending', 'retiring'])
    expect(keys[0].kid).toBe(pending)
  })

  test('with too many published keys, fails even with --force, and does not suggest --force', async () => {
    const shop = await createShop({ CLAIMGATE_KEY_PUBLISH: '0' })
    await shop.claim()
    const store = createFileKeyStore(join(shop.dir, 'keys'), { production: true })
    const expiresAt = Date.now() + 3_600_000
    const put = await Promise.all(
      Array.from({ length: 48 }, async () => ({
        ...(await createSigningKey('ES256', 'retiring', 1)),
        expiresAt,
      })),
    )
    expect(await store.replace({ expect: [], put, remove: [] })).toBe(true)
    for (const force of [[], ['--force']]) {
      const { message } = await expectFailure(shop, ['key', 'rotate', ...force], [1, 'conflict'])
      expect(message).toMatch(/^no more keys may be published, .* has expired; see: .* key list$/)
    }
  })

  test('leaves keys of another algorithm unchanged, and prints the CLAIMGATE_ALG that rotates them', async () => {
    const shop = await createShop()
    await shop.claim()
    const files = () =>
      readdirSync(join(shop.dir, 'keys')).map((name) => readFileSync(join(shop.dir, 'keys', name), 'utf8'))
    const before = files()
    for (const force of [[], ['--force']]) {
      const env = { CLAIMGATE_ALG: 'HS256' }
      const { code, stdout, stderr } = await shop.run(['key', 'rotate', ...force], { env })
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toContain('set CLAIMGATE_ALG=ES256 to rotate its keys')
    }
    expect(files()).toEqual(before)
  })
})
