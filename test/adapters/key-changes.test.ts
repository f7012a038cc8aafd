// Changing the folder of signing keys: the contract of every key store, recovery after a process was killed half way, and
// what needs no lock.

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

/** Leaves the folder as a process does that is killed after writing `written` key files, and after removing the old one if `isRemoved`. */
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
  test('leaves the key files, private to their owner, and two lock files, and nothing else', async () => {
    await open().initialize(keys)
    expect(await open().replace(change)).toBe(true)
    const names = change.put.map(({ kid }) => `${kid}.json`)
    expect((await readdir(dir)).sort()).toEqual([...names, '.lock', '.turn'].sort())
    for (const name of [...names, '.lock'])
      expect(((await stat(join(dir, name))).mode & 0o777).toString(8)).toBe('600')
    expect(await readFile(join(dir, '.lock'), 'utf8')).toBe('')
    expect(((await stat(dir)).mode & 0o777).toString(8)).toBe('700')
  })

  test('that expects a key is refused when there is no folder', async () => {
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

describe('an interrupted change', () => {
  const moments = [0, 1, 2, 3].flatMap((written) =>
    [false, true].map((removed) => [written, removed] as const),
  )
  test.each(moments)(
    'with %i of 3 files written (old file removed: %s) is completed by the next list',
    async (...moment) => {
      await leaveHalfDone(...moment)
      expect(sorted(await open().list())).toEqual(sorted(change.put))
      expect(existsSync(intent())).toBe(false)
    },
  )

  test('is completed before the next change is checked', async () => {
    await leaveHalfDone(1, false)
    expect(await open().replace(rotation(keys, change.put[2]!, NOW))).toBe(false)
    const next = rotation(change.put, await createSigningKey('ES256', 'pending', NOW), NOW + 9)
    expect(await open().replace(next)).toBe(true)
    expect(sorted(await open().list())).toEqual(sorted(next.put))
  })

  test('is completed by a call that was waiting for the lock meanwhile', async () => {
    await open().initialize(keys)
    expect(await open().replace({ expect: [], put: [], remove: [] })).toBe(true)
    const before = new DatabaseSync(join(dir, '.lock'))
    before.exec('BEGIN EXCLUSIVE')
    const late = open().replace(rotation(keys, await createSigningKey('ES256', 'pending', NOW), NOW))
    // The call has read the folder, found nothing to complete, and waits for the lock.
    await new Promise((resolve) => setTimeout(resolve, 200))
    await writeFile(intent(), formatChange(change))
    before.close()
    expect(await late).toBe(false)
    expect(sorted(await open().list())).toEqual(sorted(change.put))
  })

  test('is completed by many concurrent lists, which all see the same keys', async () => {
    await leaveHalfDone(1, false)
    const lists = await Promise.all(Array.from({ length: 20 }, () => open().list()))
    for (const list of lists) expect(sorted(list)).toEqual(sorted(change.put))
  })

  test('is reported by file name when its intent file is damaged, without the content', async () => {
    await open().initialize(keys)
    await writeFile(intent(), '{"put":[{"d":"hunter2')
    for (const work of ['list', 'replace'] as const)
      await expect(open()[work](change)).rejects.toThrow(
        `${intent()}: is not JSON; delete it: it was left by a change that was interrupted`,
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

  test('writes nothing when no change was interrupted, not even a lock file', async () => {
    await open().initialize(keys)
    await rm(join(dir, '.lock'))
    await rm(join(dir, '.turn'))
    const before = await readAll()
    for (let count = 0; count < 3; count += 1) expect(await open().list()).toHaveLength(keys.length)
    expect(await readAll()).toEqual(before)
  })

  test.each(['.lock', '.turn'])(
    'does not wait for a process that holds %s, also half way through a change',
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

  test('works in a read-only folder, also half way through a change; a change there is refused with the reason', async () => {
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

  /** Makes the folder read-only for this process. Root could still write, so the process becomes another user for a while. */
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

test('a lock that is held for too long is reported by file name', { timeout: 20_000 }, async () => {
  await open().initialize(keys)
  const holder = new DatabaseSync(join(dir, '.lock'))
  holder.exec('BEGIN EXCLUSIVE')
  await expect(open().replace(change)).rejects.toThrow(
    `${join(dir, '.lock')}: is held by another process; stop that process or try again`,
  )
  holder.close()
  expect(await open().replace(change)).toBe(true)
})
