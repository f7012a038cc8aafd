// Changing the folder of signing keys: the contract, what a process killed half way leaves, and who need not wait.

import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { formatChange } from '../../src/adapters/node/key-file.ts'
import { createFileKeyStore } from '../../src/adapters/node/key-files.ts'
import { createFirstKeys, createSigningKey } from '../../src/signing/make-keys.ts'
import type { StoredSigningKey } from '../../src/signing/signing-key.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { describeKeyChanges } from '../support/key-change-contract.ts'
import { rotation } from '../support/key-rotation.ts'

const NOW = 1_700_000_000_000
let root: string
let dir: string
let keys: readonly StoredSigningKey[]
let change: ReturnType<typeof rotation>

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'key-changes-'))
})
afterAll(() => rm(root, { recursive: true }))
beforeEach(async () => {
  dir = join(await mkdtemp(join(root, 'a-')), 'keys')
  const retiring = { ...(await createSigningKey('ES256', 'retiring', NOW)), expiresAt: NOW + 1 }
  keys = [...(await createFirstKeys('ES256', NOW)), retiring]
  change = rotation(keys, await createSigningKey('ES256', 'pending', NOW), NOW + 5)
})

describeKeyChanges('files', async () => {
  const folder = await mkdtemp(join(root, 'contract-'))
  return {
    open: () => createFileKeyStore(folder, { production: true }),
    close: () => rm(folder, { recursive: true }),
  }
})

const open = () => createFileKeyStore(dir, { production: true })
const sorted = (list: readonly StoredSigningKey[]) => [...list].sort((a, b) => (a.kid < b.kid ? -1 : 1))
const intent = () => join(dir, '.change.json')

/** The folder after `written` of its files have been written, and its removal done or not. */
async function leaveHalfDone(written: number, isRemoved: boolean): Promise<void> {
  await open().initialize(keys)
  await writeFile(intent(), formatChange(change))
  const done = join(root, `done-${change.put[0]!.kid}`)
  await createFileKeyStore(done, { production: true }).initialize(change.put)
  for (const { kid } of change.put.slice(0, written))
    await writeFile(join(dir, `${kid}.json`), await readFile(join(done, `${kid}.json`)))
  if (isRemoved) await rm(join(dir, `${change.remove[0]}.json`))
}

describe('a change', () => {
  test('leaves the key files, private, and the lock, which is empty', async () => {
    await open().initialize(keys)
    expect(await open().replace(change)).toBe(true)
    const names = change.put.map(({ kid }) => `${kid}.json`)
    expect((await readdir(dir)).sort()).toEqual([...names, '.lock', '.turn'].sort())
    for (const name of [...names, '.lock'])
      expect(((await stat(join(dir, name))).mode & 0o777).toString(8)).toBe('600')
    expect(await readFile(join(dir, '.lock'), 'utf8')).toBe('')
    expect(((await stat(dir)).mode & 0o777).toString(8)).toBe('700')
  })

  test('that expects a key where there is no folder is not made', async () => {
    expect(await open().replace(change)).toBe(false)
    expect(await open().list()).toEqual([])
  })

  test.each(['../a', 'a/b', '', '.lock', 'a'.repeat(129)])('refuses the kid %j', async (kid) => {
    await open().initialize(keys)
    for (const bad of [
      { ...change, remove: [kid] },
      { ...change, put: [{ ...keys[0]!, kid }] },
    ])
      await expect(open().replace(bad)).rejects.toThrow(RangeError)
    expect(sorted(await open().list())).toEqual(sorted(keys))
  })
})

describe('a change that was cut short', () => {
  const moments = [0, 1, 2, 3].flatMap((written) =>
    [false, true].map((removed) => [written, removed] as const),
  )
  test.each(moments)(
    'after %i of 3 files (removed: %s) is completed by the next process',
    async (...moment) => {
      await leaveHalfDone(...moment)
      expect(sorted(await open().list())).toEqual(sorted(change.put))
      expect(existsSync(intent())).toBe(false)
    },
  )

  test('is completed before another one is judged', async () => {
    await leaveHalfDone(1, false)
    expect(await open().replace(rotation(keys, change.put[2]!, NOW))).toBe(false)
    const next = rotation(change.put, await createSigningKey('ES256', 'pending', NOW), NOW + 9)
    expect(await open().replace(next)).toBe(true)
    expect(sorted(await open().list())).toEqual(sorted(next.put))
  })

  test('is completed when it is left by the one before, while another waits for its turn', async () => {
    await open().initialize(keys)
    expect(await open().replace({ expect: [], put: [], remove: [] })).toBe(true)
    const before = new DatabaseSync(join(dir, '.lock'))
    before.exec('BEGIN EXCLUSIVE')
    const late = open().replace(rotation(keys, await createSigningKey('ES256', 'pending', NOW), NOW))
    // It has looked at the folder, found nothing left to do, and waits.
    await new Promise((resolve) => setTimeout(resolve, 200))
    await writeFile(intent(), formatChange(change))
    before.close()
    expect(await late).toBe(false)
    expect(sorted(await open().list())).toEqual(sorted(change.put))
  })

  test('is completed once by many that come together', async () => {
    await leaveHalfDone(1, false)
    const lists = await Promise.all(Array.from({ length: 20 }, () => open().list()))
    for (const list of lists) expect(sorted(list)).toEqual(sorted(change.put))
  })

  test('is named when its intent is damaged, without what is inside', async () => {
    await open().initialize(keys)
    await writeFile(intent(), '{"put":[{"d":"hunter2')
    for (const work of ['list', 'replace'] as const)
      await expect(open()[work](change)).rejects.toThrow(
        `${intent()}: is not JSON; delete it, it is left from a change that was cut short`,
      )
    await writeFile(intent(), JSON.stringify({ put: [], remove: ['../../etc/passwd'] }))
    await expect(open().list()).rejects.toThrow(`${intent()}: its "remove.0" is missing or wrong; delete it`)
  })
})

describe('a list', () => {
  const readAll = async () => {
    const names = (await readdir(dir)).sort()
    const { mtimeNs } = await stat(dir, { bigint: true })
    return [
      mtimeNs,
      ...(await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name))]))),
    ]
  }

  test('writes nothing where nothing is left to be done, no lock either', async () => {
    await open().initialize(keys)
    await rm(join(dir, '.lock'))
    await rm(join(dir, '.turn'))
    const before = await readAll()
    for (let count = 0; count < 3; count += 1) expect(await open().list()).toHaveLength(keys.length)
    expect(await readAll()).toEqual(before)
  })

  test.each(['.lock', '.turn'])(
    'waits for nobody who holds %s, also half way through a change',
    async (name) => {
      await leaveHalfDone(1, false)
      const before = await readAll()
      const holder = new DatabaseSync(join(dir, name))
      holder.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
      const asked = performance.now()
      for (let count = 0; count < 10; count += 1)
        expect(sorted(await open().list())).toEqual(sorted(change.put))
      expect(performance.now() - asked, 'ten lists, milliseconds').toBeLessThan(4000)
      expect((await readAll()).slice(1)).toEqual(before.slice(1))
      holder.close()
      await open().list()
      expect(existsSync(intent())).toBe(false)
    },
  )

  test('goes on in a folder that is read-only, also half way through a change; changing it says so', async () => {
    await leaveHalfDone(1, false)
    const before = await readAll()
    const giveBack = await makeReadOnly()
    try {
      expect(sorted(await open().list())).toEqual(sorted(change.put))
      await expect(open().replace({ expect: [], put: [], remove: [] })).rejects.toThrow(StorageError)
      expect(sorted(await open().list())).toEqual(sorted(change.put))
    } finally {
      await giveBack()
    }
    expect(await readAll()).toEqual(before)
    expect(await open().replace({ expect: [], put: [], remove: [] })).toBe(true)
    expect(existsSync(intent())).toBe(false)
  })

  /** Takes the right to write the folder from this process. Root would keep it, and becomes another user for a while. */
  async function makeReadOnly(): Promise<() => Promise<void>> {
    if (process.geteuid?.() !== 0) {
      await chmod(dir, 0o500)
      return () => chmod(dir, 0o700)
    }
    const nobody = 65_534
    for (const name of await readdir(dir)) await chown(join(dir, name), nobody, nobody)
    for (const path of [root, join(dir, '..'), dir]) await chmod(path, 0o755)
    process.seteuid!(nobody)
    return async () => process.seteuid!(0)
  }
})

test('a lock that is held for too long is named', { timeout: 20_000 }, async () => {
  await open().initialize(keys)
  const holder = new DatabaseSync(join(dir, '.lock'))
  holder.exec('BEGIN EXCLUSIVE')
  await expect(open().replace(change)).rejects.toThrow(
    `${join(dir, '.lock')}: is held by another process; stop that process or try again`,
  )
  holder.close()
  expect(await open().replace(change)).toBe(true)
})
