// Changing the folder of signing keys: the contract, what a process killed half way leaves, and several at once.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { formatChange } from '../../src/adapters/key-file.ts'
import { createFileKeyStore } from '../../src/adapters/key-files.ts'
import { createFirstKeys, createSigningKey } from '../../src/signing/rotate.ts'
import type { StoredSigningKey } from '../../src/signing/signing-key.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { describeKeyChanges } from '../storage/key-change-contract.ts'
import { rotation } from '../storage/rotation.ts'

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
const fileOf = (key: StoredSigningKey) => join(dir, `${key.kid}.json`)
const intent = () => join(dir, '.change.json')

describe('a change', () => {
  it('leaves the key files, private, and the lock, which is empty', async () => {
    await open().initialize(keys)
    expect(await open().replace(change)).toBe(true)
    const names = change.put.map(({ kid }) => `${kid}.json`)
    expect((await readdir(dir)).sort()).toEqual([...names, '.lock'].sort())
    for (const name of [...names, '.lock'])
      expect(((await stat(join(dir, name))).mode & 0o777).toString(8)).toBe('600')
    expect(await readFile(join(dir, '.lock'), 'utf8')).toBe('')
    expect(((await stat(dir)).mode & 0o777).toString(8)).toBe('700')
  })

  it('that expects a key where there is no folder is not made', async () => {
    expect(await open().replace(change)).toBe(false)
    expect(await open().list()).toEqual([])
  })

  it.each(['../a', 'a/b', '', '.lock', 'a'.repeat(129)])('refuses the kid %j', async (kid) => {
    await open().initialize(keys)
    for (const bad of [
      { ...change, remove: [kid] },
      { ...change, put: [{ ...keys[0]!, kid }] },
    ])
      await expect(open().replace(bad)).rejects.toThrow(RangeError)
    expect(sorted(await open().list())).toEqual(sorted(keys))
  })

  it('completes first keys that were left half written', async () => {
    await open().initialize(keys)
    const texts = await Promise.all(keys.map((key) => readFile(fileOf(key), 'utf8')))
    await writeFile(join(dir, '.first-ES256.json'), `[${texts.join(',')}]`)
    await rm(fileOf(keys[1]!))
    expect(await open().replace(change)).toBe(true)
    expect(sorted(await open().list())).toEqual(sorted(change.put))
  })
})

describe('a change that was cut short', () => {
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

  const moments = [0, 1, 2, 3].flatMap((written) =>
    [false, true].map((removed) => [written, removed] as const),
  )
  it.each(moments)(
    'after %i of 3 files (removed: %s) is completed by whoever comes next',
    async (...moment) => {
      await leaveHalfDone(...moment)
      expect(sorted(await open().list())).toEqual(sorted(change.put))
      expect(existsSync(intent())).toBe(false)
    },
  )

  it('is completed before another one is judged', async () => {
    await leaveHalfDone(1, false)
    expect(await open().replace(rotation(keys, change.put[2]!, NOW))).toBe(false)
    const next = rotation(change.put, await createSigningKey('ES256', 'pending', NOW), NOW + 9)
    expect(await open().replace(next)).toBe(true)
    expect(sorted(await open().list())).toEqual(sorted(next.put))
  })

  it('is completed when it is left by the one before, while another waits for its turn', async () => {
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

  it('is completed once by many that come together', async () => {
    await leaveHalfDone(1, false)
    const lists = await Promise.all(Array.from({ length: 20 }, () => open().list()))
    for (const list of lists) expect(sorted(list)).toEqual(sorted(change.put))
  })

  it('is named when its intent is damaged, without what is inside', async () => {
    await open().initialize(keys)
    await writeFile(intent(), '{"put":[{"d":"hunter2')
    for (const work of [open().list(), open().replace(change)])
      await expect(work).rejects.toThrow(
        `${intent()}: is not JSON; delete it and rotate again, it is left from a rotation`,
      )
    await writeFile(intent(), JSON.stringify({ put: [], remove: ['../../etc/passwd'] }))
    await expect(open().list()).rejects.toThrow(`${intent()}: its "remove.0" is missing or wrong; delete it`)
  })
})

it('a folder that is read-only is still read, and says so when it is to be changed', async () => {
  await open().initialize(keys)
  await chmod(dir, 0o500)
  expect(sorted(await open().list())).toEqual(sorted(keys))
  // Root may write anywhere: a folder in the lock's place stops it too.
  await chmod(dir, 0o700)
  await mkdir(join(dir, '.lock'))
  await expect(open().replace(change)).rejects.toThrow(StorageError)
  expect(sorted(await open().list())).toEqual(sorted(keys))
})

it('a lock that is held for too long is named', { timeout: 20_000 }, async () => {
  await open().initialize(keys)
  const holder = new DatabaseSync(join(dir, '.lock'))
  holder.exec('BEGIN EXCLUSIVE')
  await expect(open().replace(change)).rejects.toThrow(
    `${join(dir, '.lock')}: is held by another process; stop that process or try again`,
  )
  holder.close()
  expect(await open().replace(change)).toBe(true)
})

describe('processes', () => {
  const script = join(import.meta.dirname, 'change-keys.ts')
  const running: ChildProcess[] = []
  afterAll(() => {
    for (const child of running) child.kill('SIGKILL')
  })

  async function start(count: number) {
    const child = spawn(process.execPath, [script, dir, String(count)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    running.push(child)
    const lines: string[] = []
    const reader = createInterface({ input: child.stdout })
    await once(reader, 'line')
    reader.on('line', (line) => lines.push(line))
    const ended = Promise.all([once(child, 'exit'), once(reader, 'close')]).then(([[code]]) => code)
    return { child, reader, lines, ended }
  }

  const states = (list: readonly StoredSigningKey[]) => list.map(({ state }) => state).sort()

  it('that rotate one folder at the same time make each rotation once, one after the other', async () => {
    await open().initialize(await createFirstKeys('ES256', NOW))
    const starters = await Promise.all([start(40), start(40), start(40)])
    for (const { child } of starters) child.stdin!.write('go\n')
    let isOver = false
    const ended = Promise.all(starters.map((starter) => starter.ended)).finally(() => {
      isOver = true
    })
    while (!isOver) {
      const found = states(await open().list())
      expect(['current pending', 'current pending retiring']).toContain(found.join(' '))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await ended).toEqual([0, 0, 0])
    // Each line is a rotation that was made: the key that signs from then on, and the one that did before.
    const made = starters.flatMap(({ lines }) => lines).map((line) => line.split(' ') as [string, string])
    expect(made.length).toBeGreaterThanOrEqual(40)
    expect(new Set(made.map(([to]) => to)).size).toBe(made.length)
    expect(new Set(made.map(([, from]) => from)).size).toBe(made.length)
    const last = (await open().list()).find(({ state }) => state === 'current')!
    expect(made.map(([to]) => to)).toContain(last.kid)
    expect(made.map(([, from]) => from)).not.toContain(last.kid)
  })

  it('that rotate without a pause never show a slow reader two rotations mixed', async () => {
    await open().initialize(await createFirstKeys('ES256', NOW))
    const { child, reader, ended } = await start(1_000_000)
    child.stdin!.write('go\n')
    await once(reader, 'line')
    // Each step of a look takes longer than it should: a whole rotation fits between two of them.
    const sleeper = new Int32Array(new SharedArrayBuffer(4))
    const slowing = setInterval(() => Atomics.wait(sleeper, 0, 0, 4), 1)
    for (let look = 0; look < 8; look += 1) {
      const found = states(await open().list())
      expect(['current pending', 'current pending retiring']).toContain(found.join(' '))
    }
    clearInterval(slowing)
    child.kill('SIGKILL')
    await ended
  })

  it('that are killed at any moment leave one current and one pending key, and lose no rotation', async () => {
    await open().initialize(await createFirstKeys('ES256', NOW))
    let halves = 0
    for (let round = 0; round < 25; round += 1) {
      const { child, reader, lines, ended } = await start(1_000_000)
      child.stdin!.write('go\n')
      await once(reader, 'line')
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
      child.kill('SIGKILL')
      await ended
      if (existsSync(intent())) halves += 1
      const found = await open().list()
      expect(states(found).filter((state) => state !== 'retiring')).toEqual(['current', 'pending'])
      // The last one that was acknowledged, or one after it.
      const [to] = lines.at(-1)!.split(' ')
      const at = found.find(({ kid }) => kid === to)
      expect(at === undefined || at.state === 'current' || at.state === 'retiring').toBe(true)
      const from = lines.at(-1)!.split(' ')[1]
      expect(found.find(({ kid }) => kid === from)?.state).not.toBe('current')
      expect(
        await open().replace(rotation(found, await createSigningKey('ES256', 'pending', NOW), NOW)),
      ).toBe(true)
    }
    expect(halves, 'some kills must hit a change half way').toBeGreaterThan(0)
  })
})
