// Several processes at one folder of signing keys: they change it together, read during changes, and are killed or stopped.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, open as openFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { withFolderLock } from '../../src/adapters/node/folder-lock.ts'
import { formatKeyFile } from '../../src/adapters/node/key-file.ts'
import { createFileKeyStore } from '../../src/adapters/node/key-files.ts'
import { createFirstKeys, createSigningKey } from '../../src/signing/make-keys.ts'
import type { StoredSigningKey } from '../../src/signing/signing-key.ts'
import { rotation } from '../support/key-rotation.ts'

const NOW = 1_700_000_000_000
let root: string
let dir: string

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'key-processes-'))
})
afterAll(() => rm(root, { recursive: true }))
beforeEach(async () => {
  dir = join(await mkdtemp(join(root, 'a-')), 'keys')
})

const open = () => createFileKeyStore(dir, { production: true })
const intent = () => join(dir, '.change.json')

describe('processes', () => {
  const running: ChildProcess[] = []
  afterAll(() => {
    for (const child of running) child.kill('SIGKILL')
  })

  /** Starts a script of this folder, and waits for its first line. */
  async function start(script: string, args: readonly string[]) {
    const child = spawn(process.execPath, [join(import.meta.dirname, script), ...args], {
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

  const startRotator = (count: number) => start('change-keys.ts', [dir, String(count)])
  const states = (list: readonly StoredSigningKey[]) => list.map(({ state }) => state).sort()

  test('that rotate one folder at the same time make each rotation once, one after the other', async () => {
    await open().initialize(await createFirstKeys('ES256', NOW))
    const starters = await Promise.all([startRotator(40), startRotator(40), startRotator(40)])
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
    // Each line is one rotation: the key that signs from then on, and the one that signed before.
    const made = starters.flatMap(({ lines }) => lines).map((line) => line.split(' ') as [string, string])
    expect(made.length).toBeGreaterThanOrEqual(40)
    expect(new Set(made.map(([to]) => to)).size).toBe(made.length)
    expect(new Set(made.map(([, from]) => from)).size).toBe(made.length)
    const last = (await open().list()).find(({ state }) => state === 'current')!
    expect(made.map(([to]) => to)).toContain(last.kid)
    expect(made.map(([, from]) => from)).not.toContain(last.kid)
  })

  test('that rotate without a pause never show a reader a mix of two rotations, wherever the reader is stopped', async () => {
    await open().initialize(await createFirstKeys('ES256', NOW))
    const rotator = await startRotator(1_000_000)
    rotator.child.stdin!.write('go\n')
    const reader = await start('key-reader.ts', [dir, '1000000'])
    for (let round = 0; round < 60; round += 1) {
      // Without a pause, the same read of the folder may be stopped twice.
      await pause(round % 2 === 0 ? Math.random() * 5 : 0)
      reader.child.kill('SIGSTOP')
      const before = rotator.lines.length
      // Three rotations replace every key. None can run while the stopped reader holds the lock.
      for (let waited = 0; rotator.lines.length < before + 3 && waited < 100; waited += 5) await pause(5)
      reader.child.kill('SIGCONT')
    }
    reader.child.stdin!.end()
    expect(await reader.ended).toBe(0)
    const seen = JSON.parse(reader.lines[0]!)
    expect(['current pending', 'current pending retiring']).toEqual(expect.arrayContaining(Object.keys(seen)))
    expect(rotator.lines.length).toBeGreaterThan(60)
    rotator.child.kill('SIGKILL')
    await rotator.ended
  })

  test('that meet a rotation during each read of the folder read once more, under the lock', async () => {
    let keys = await createFirstKeys('ES256', NOW)
    const store = (key: StoredSigningKey) => writeFile(join(dir, `${key.kid}.json`), formatKeyFile(key))
    // Two keys whose files are pipes, first by name: a reader waits there until this process writes.
    const pipes = await Promise.all(
      ['--', '-'].map(async (kid) => ({ ...(await createSigningKey('HS256', 'expired', NOW)), kid })),
    )
    await mkdir(dir)
    for (const key of keys) await store(key)
    for (const { kid } of pipes) execFileSync('mkfifo', ['-m', '600', join(dir, `${kid}.json`)])
    const isLocked = () => {
      const database = new DatabaseSync(join(dir, '.lock'))
      try {
        database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
        return false
      } catch {
        return true
      } finally {
        database.close()
      }
    }

    const reader = await start('key-reader.ts', [dir, '1'])
    const wereLocked: boolean[] = []
    for (let looks = 0; !wereLocked.includes(true) && looks < 20; looks += 1) {
      await store(pipes[0]!)
      const second = await openFile(join(dir, '-.json'), 'w')
      // Now the reader has the names, and has not read the other files.
      wereLocked.push(isLocked())
      if (!wereLocked.includes(true)) {
        const change = rotation(keys, await createSigningKey('ES256', 'pending', NOW), NOW)
        for (const key of change.put) await store(key)
        for (const kid of change.remove) await rm(join(dir, `${kid}.json`))
        keys = change.put
      }
      await second.writeFile(formatKeyFile(pipes[1]!))
      await second.close()
    }
    expect(await reader.ended).toBe(0)
    expect(wereLocked).toEqual([false, false, false, false, true])
    expect(JSON.parse(reader.lines[0]!)).toEqual({ 'current expired expired pending retiring': 1 })
  })

  test('that are killed at any moment leave one current and one pending key, and lose no rotation', {
    timeout: 180_000,
  }, async () => {
    await open().initialize(await createFirstKeys('ES256', NOW))
    let halves = 0
    for (let round = 0; round < 25; round += 1) {
      const { child, reader, lines, ended } = await startRotator(1_000_000)
      child.stdin!.write('go\n')
      await once(reader, 'line')
      await pause(Math.random() * 20)
      child.kill('SIGKILL')
      await ended
      if (existsSync(intent())) halves += 1
      const found = await open().list()
      expect(states(found).filter((state) => state !== 'retiring')).toEqual(['current', 'pending'])
      // The last rotation that was acknowledged, or the one after it.
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

  test('that take the lock again immediately do not lock others out', async () => {
    await mkdir(dir)
    const holder = await start('key-holder.ts', [dir])
    const countTurns = () => statSync(join(dir, 'turns')).size
    // This process tries rarely, so without the queue the other process would always get the lock first.
    const sleeper = new Int32Array(new SharedArrayBuffer(4))
    const slowing = setInterval(() => Atomics.wait(sleeper, 0, 0, 20), 1)
    let turns = 0
    for (let ask = 0; ask < 20; ask += 1) {
      const last = countTurns()
      while (countTurns() === last) await pause(1)
      const before = countTurns()
      await withFolderLock(dir, async () => {
        turns += countTurns() - before
        expect(readdirSync(dir).sort()).toEqual(['.lock', '.turn', 'turns'])
      })
    }
    clearInterval(slowing)
    expect(turns, 'turns of the other while this process waited').toBeLessThan(60)
    holder.child.kill('SIGKILL')
    await holder.ended
  })
})
