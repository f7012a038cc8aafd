// Owners and modes of the files in the folder of signing keys: files written by root must stay usable for the server's user.

import { lstatSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createFileKeyStore, findOpenFolder } from '../../src/adapters/node/key-files.ts'
import { createFirstKeys, createSigningKey } from '../../src/signing/make-keys.ts'
import type { StoredSigningKey } from '../../src/signing/signing-key.ts'
import { rotation } from '../support/key-rotation.ts'

const NOW = 1_700_000_000_000
const USER = 4711
const GROUP = 4712

let root: string
let dir: string
let keys: readonly StoredSigningKey[]

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'key-owners-'))
})
afterAll(() => rm(root, { recursive: true }))
beforeEach(async () => {
  dir = join(await mkdtemp(join(root, 'a-')), 'keys')
  const retiring = { ...(await createSigningKey('ES256', 'retiring', NOW)), expiresAt: NOW + 1 }
  keys = [...(await createFirstKeys('ES256', NOW)), retiring]
})

const store = () => createFileKeyStore(dir, { production: true })
/** Owner, group and mode; empty for a file that has just been removed. */
const describeFile = (path: string): string => {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats === undefined ? '' : `${stats.uid}:${stats.gid} ${(stats.mode & 0o777).toString(8)}`
}
const modeOf = (path: string): string => describeFile(path).split(' ')[1] ?? ''
/** Every file in the folder with its owner and mode. */
const readFiles = (): Readonly<Record<string, string>> =>
  Object.fromEntries(readdirSync(dir).map((name) => [name, describeFile(join(dir, name))]))
const isKey = (name: string): boolean => name.endsWith('.json')

async function rotateOnce(): Promise<void> {
  expect(
    await store().replace(rotation(keys, await createSigningKey('ES256', 'pending', NOW), NOW + 5)),
  ).toBe(true)
}

describe('modes', () => {
  test('a new key file gets the mode of the existing ones, which keep theirs', async () => {
    await store().initialize(keys)
    for (const { kid } of keys) await chmod(join(dir, `${kid}.json`), 0o640)
    await chmod(dir, 0o750)
    await rotateOnce()
    const names = readdirSync(dir).filter(isKey)
    expect(names).toHaveLength(3)
    expect(names.map((name) => modeOf(join(dir, name)))).toEqual(['640', '640', '640'])
    expect(modeOf(dir)).toBe('750')
  })

  test('a file that is replaced keeps its mode, also when others differ', async () => {
    await store().initialize(keys)
    const [current] = keys
    await chmod(join(dir, `${current?.kid}.json`), 0o400)
    await rotateOnce()
    expect(modeOf(join(dir, `${current?.kid}.json`))).toBe('400')
    expect(
      readdirSync(dir)
        .filter(isKey)
        .map((name) => modeOf(join(dir, name)))
        .sort(),
    ).toContain('600')
  })

  test('an empty folder keeps its mode', async () => {
    await mkdir(dir)
    await chmod(dir, 0o755)
    await store().initialize(keys)
    expect(modeOf(dir)).toBe('755')
    expect(new Set(Object.values(readFiles()).map((one) => one.split(' ')[1]))).toEqual(new Set(['600']))
  })

  test('every user who may change the folder may lock it', async () => {
    await mkdir(dir)
    await chmod(dir, 0o770)
    await store().initialize(keys)
    expect([modeOf(join(dir, '.lock')), modeOf(join(dir, '.turn'))]).toEqual(['660', '660'])
  })

  test.each([
    [0o700, false],
    [0o755, false],
    [0o770, true],
    [0o707, true],
    [0o1777, true],
  ])('a folder of mode %o is open to others: %s', async (mode, isOpen) => {
    await mkdir(dir)
    await chmod(dir, mode)
    const found = findOpenFolder(dir)
    if (isOpen) expect(found).toMatch(new RegExp(`^${dir}: users other than its owner may write`))
    else expect(found).toBeUndefined()
  })

  test('a folder that does not exist is not open to others', () => {
    expect(findOpenFolder(dir)).toBeUndefined()
  })
})

describe.skipIf(process.geteuid?.() !== 0)('written by the superuser (needs root)', () => {
  const giveFolder = async (): Promise<void> => {
    for (const name of readdirSync(dir)) await chown(join(dir, name), USER, GROUP)
    await chown(dir, USER, GROUP)
  }

  test('a change belongs to the owner of the keys, at every moment', async () => {
    await store().initialize(keys)
    await giveFolder()
    for (const { kid } of keys) await chmod(join(dir, `${kid}.json`), 0o440)
    const foreign = new Set<string>()
    const seen = new Set<string>()
    let isOver = false
    const watch = async (): Promise<void> => {
      while (!isOver) {
        for (const [name, facts] of Object.entries(readFiles())) {
          // A temporary file belongs to the writer until it is renamed.
          if (facts === '' || name.startsWith('.temporary')) continue
          seen.add(name)
          if (!facts.startsWith(`${USER}:${GROUP} `)) foreign.add(`${name} ${facts}`)
        }
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const watching = watch()
    await rotateOnce()
    isOver = true
    await watching
    expect([...foreign]).toEqual([])
    expect([...seen]).toContain('.change.json')
    const after = readFiles()
    expect(
      Object.keys(after)
        .filter(isKey)
        .map((name) => after[name]),
    ).toEqual(Array(3).fill('4711:4712 440'))
    expect([after['.lock'], after['.turn']]).toEqual(['4711:4712 600', '4711:4712 600'])
  })

  test('first keys in an empty folder belong to the owner of the folder', async () => {
    await mkdir(dir)
    await chown(dir, USER, GROUP)
    await chmod(dir, 0o755)
    await store().initialize(keys)
    expect(new Set(Object.values(readFiles()))).toEqual(new Set(['4711:4712 600']))
    expect(describeFile(dir)).toBe('4711:4712 755')
  })

  test('a new folder belongs to the owner of its parent', async () => {
    await chown(join(dir, '..'), USER, GROUP)
    dir = join(dir, 'deep', 'er')
    await store().initialize(keys)
    for (const path of [join(dir, '..', '..'), join(dir, '..'), dir])
      expect(describeFile(path)).toBe('4711:4712 700')
    expect(new Set(Object.values(readFiles()))).toEqual(new Set(['4711:4712 600']))
  })

  test('locks that root created earlier are given to the owner of the folder', async () => {
    await store().initialize(keys)
    await giveFolder()
    for (const name of ['.lock', '.turn']) await chown(join(dir, name), 0, 0)
    await rotateOnce()
    expect([readFiles()['.lock'], readFiles()['.turn']]).toEqual(['4711:4712 600', '4711:4712 600'])
  })

  test('a link in place of a lock does not change the owner of its target', async () => {
    await store().initialize(keys)
    await giveFolder()
    const victim = join(root, 'victim')
    await writeFile(victim, '', { mode: 0o644 })
    await rm(join(dir, '.lock'))
    await symlink(victim, join(dir, '.lock'))
    await rotateOnce()
    const { uid, gid, mode } = await stat(victim)
    expect([uid, gid, mode & 0o777]).toEqual([0, 0, 0o644])
  })
})
