// The folder of signing keys: the format of its files, which files are refused with which message, and what the folder
// contains after two processes started together or one was killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { chmod, link, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { calculateJwkThumbprint, importJWK } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { formatChange } from '../../src/adapters/node/key-file.ts'
import { createFileKeyStore } from '../../src/adapters/node/key-files.ts'
import { createFirstKeys, createSigningKey } from '../../src/signing/make-keys.ts'
import type { StoredSigningKey } from '../../src/signing/signing-key.ts'
import { StorageError } from '../../src/storage/errors.ts'

const NOW = Date.parse('2026-01-01T00:00:00.123Z')
const LOCKS = ['.lock', '.turn']
let root: string
let dir: string
let keys: readonly StoredSigningKey[]

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'key-files-'))
})
afterAll(() => rm(root, { recursive: true }))
beforeEach(async () => {
  dir = join(await mkdtemp(join(root, 'a-')), 'deep', 'keys')
  keys = await createFirstKeys('ES256', NOW)
})

const open = (production = false) => createFileKeyStore(dir, { production })
const sorted = (list: readonly StoredSigningKey[]) => [...list].sort((a, b) => (a.kid < b.kid ? -1 : 1))
const modeNow = (path: string) => (statSync(path).mode & 0o777).toString(8)
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)
const fileOf = (key: StoredSigningKey) => join(dir, `${key.kid}.json`)

async function readMembers(path: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path, 'utf8'))
}

describe('the store', () => {
  test('without a folder lists no keys and does not create the folder', async () => {
    expect(await open().list()).toEqual([])
    await expect(stat(dir)).rejects.toThrow('ENOENT')
  })

  test.each(['ES256', 'EdDSA', 'HS256'] as const)('reads %s keys back unchanged', async (alg) => {
    const made = await createFirstKeys(alg, NOW)
    const retiring = {
      ...(await createSigningKey(alg, 'retiring', NOW)),
      currentSince: NOW + 1,
      expiresAt: NOW + 2,
    }
    await open().initialize([...made, retiring])
    expect(sorted(await open(true).list())).toEqual(sorted([...made, retiring]))
  })

  test('writes a private JWK to a file named by its kid, with its state and times', async () => {
    await open().initialize(keys)
    const [current] = keys
    const members = await readMembers(fileOf(current!))
    expect(members).toEqual({
      ...current!.jwk,
      kid: current!.kid,
      alg: 'ES256',
      use: 'sig',
      state: 'current',
      created_at: '2026-01-01T00:00:00.123Z',
      current_since: '2026-01-01T00:00:00.123Z',
      expires_at: null,
    })
    expect(await importJWK(members)).toMatchObject({ type: 'private' })
    expect(await calculateJwkThumbprint(members)).toBe(current!.kid)
  })

  test('creates a folder for its owner only, with only the keys and two empty locks', async () => {
    await open().initialize(keys)
    expect(await modeOf(dir)).toBe('700')
    const names = [...keys.map((key) => `${key.kid}.json`), ...LOCKS]
    expect((await readdir(dir)).sort()).toEqual(names.sort())
    for (const name of names) expect(await modeOf(join(dir, name))).toBe('600')
    for (const name of LOCKS) expect((await stat(join(dir, name))).size).toBe(0)
  })

  test('adds keys only to a folder that has no key of the algorithm', async () => {
    await open().initialize(keys)
    await open().initialize(await createFirstKeys('ES256', NOW))
    expect(sorted(await open().list())).toEqual(sorted(keys))
    const others = await createFirstKeys('HS256', NOW)
    await open().initialize(others)
    expect(sorted(await open().list())).toEqual(sorted([...keys, ...others]))
    await open().initialize([])
    expect(await open().list()).toHaveLength(4)
  })

  test.each(['', '../a', 'a/b', '.a', 'a\0', 'a'.repeat(129)])('refuses to store the kid %j', async (kid) => {
    await expect(open().initialize([{ ...keys[0]!, kid }])).rejects.toThrow(RangeError)
    expect(await open().list()).toEqual([])
  })
})

describe('reading', () => {
  beforeEach(() => open().initialize(keys))

  test('ignores other files', async () => {
    await writeFile(join(dir, 'README.md'), '# Keys')
    await writeFile(join(dir, '.gitignore'), '*')
    await writeFile(join(dir, '._a.json'), 'rubbish')
    await mkdir(join(dir, 'old'))
    expect(await open().list()).toHaveLength(2)
  })

  test('does not change file modes', async () => {
    await chmod(dir, 0o755)
    await chmod(fileOf(keys[0]!), 0o640)
    await chmod(fileOf(keys[1]!), 0o604)
    expect(await open().list()).toHaveLength(2)
    expect([dir, ...keys.map(fileOf)].map(modeNow)).toEqual(['755', '640', '604'])
  })

  test('refuses a development key in production only', async () => {
    const key = { ...keys[0]!, kid: 'dev-1' }
    await writeFile(fileOf(key), JSON.stringify({ ...(await readMembers(fileOf(keys[0]!))), kid: 'dev-1' }))
    expect(await open(false).list()).toHaveLength(3)
    await expect(open(true).list()).rejects.toThrow(`${fileOf(key)}: is a development key`)
  })
})

describe('a file that is not a valid key', () => {
  const without = (name: string) => (members: Record<string, unknown>) => ({ ...members, [name]: undefined })
  const having = (change: Record<string, unknown>) => (members: Record<string, unknown>) => ({
    ...members,
    ...change,
  })
  type Damage = (members: Record<string, unknown>) => unknown

  const damages: readonly [string, 'ES256' | 'EdDSA' | 'HS256', Damage, string][] = [
    ['cut off', 'ES256', (members) => JSON.stringify(members).slice(0, -9), 'is not JSON'],
    ['empty', 'ES256', () => '', 'is not JSON'],
    [
      'a repeated member',
      'ES256',
      (members) => JSON.stringify(members).replace('{', '{"d":"x",'),
      'has a member twice',
    ],
    ['an array', 'ES256', (members) => [members], 'is not a JWK'],
    ['null', 'ES256', () => null, 'is not a JWK'],
    ['another kid', 'ES256', having({ kid: 'other' }), 'its "kid" is not its file name'],
    ['no kid', 'ES256', without('kid'), 'its "kid" is missing or wrong'],
    ['a public key', 'ES256', without('d'), 'its "d" is missing or wrong'],
    ['a public key', 'EdDSA', without('d'), 'its "d" is missing or wrong'],
    [
      'a short d',
      'ES256',
      ({ d, ...rest }) => ({ ...rest, d: String(d).slice(1) }),
      'its "d" is missing or wrong',
    ],
    ['a padded d', 'EdDSA', ({ d, ...rest }) => ({ ...rest, d: `${d}=` }), 'its "d" is missing or wrong'],
    ['no y', 'ES256', without('y'), 'its "y" is missing or wrong'],
    ['another curve', 'ES256', having({ crv: 'P-384' }), 'its "crv" is missing or wrong'],
    ['another algorithm', 'ES256', having({ alg: 'EdDSA' }), 'its "kty" is missing or wrong'],
    ['an unknown algorithm', 'ES256', having({ alg: 'none' }), 'its "alg" is missing or wrong'],
    ['an encryption key', 'ES256', having({ use: 'enc' }), 'its "use" is missing or wrong'],
    ['an unknown state', 'ES256', having({ state: 'lost' }), 'its "state" is missing or wrong'],
    ['no time', 'ES256', having({ created_at: 'yesterday' }), 'its "created_at" is missing or wrong'],
    ['no expiry', 'ES256', without('expires_at'), 'its "expires_at" is missing or wrong'],
    [
      '31 bytes',
      'HS256',
      having({ k: Buffer.alloc(31, 7).toString('base64url') }),
      'its "k" is missing or wrong',
    ],
  ]

  test.each(damages)('is refused: %s (%s)', async (_, alg, damage, problem) => {
    const made = await createFirstKeys(alg, NOW)
    await open().initialize(made)
    const members = await readMembers(fileOf(made[0]!))
    const damaged = damage(members)
    await writeFile(fileOf(made[0]!), typeof damaged === 'string' ? damaged : JSON.stringify(damaged))

    const error: unknown = await open()
      .list()
      .catch((thrown) => thrown)
    expect(error).toBeInstanceOf(StorageError)
    const { message, stack, cause } = error as StorageError
    expect(message).toBe(
      `${fileOf(made[0]!)}: ${problem}; restore it from a backup or move it out of the folder`,
    )
    expect(cause).toBeUndefined()
    for (const secret of [members.d, members.k])
      if (secret) expect(stack).not.toContain(String(secret).slice(0, 9))
    await expect(open().initialize(await createFirstKeys(alg, NOW))).rejects.toThrow(problem)
  })

  test('is refused when it is a copy of another key file', async () => {
    await open().initialize(keys)
    await link(fileOf(keys[0]!), join(dir, 'copy\nof.json'))
    await expect(open().list()).rejects.toThrow(
      `${join(dir, 'copy?of.json')}: its "kid" is not its file name; restore it from a backup or move it out of the folder`,
    )
  })

  test('is refused when it is a folder, and so is a file in place of the key folder', async () => {
    await mkdir(join(dir, 'a.json'), { recursive: true })
    await expect(open().list()).rejects.toThrow(
      `${join(dir, 'a.json')}: cannot be read or written (EISDIR); check`,
    )
    await rm(dir, { recursive: true })
    await writeFile(dir, '')
    for (const work of [open().list(), open().initialize(keys)]) {
      const error = await work.catch((thrown) => thrown)
      expect(error).toBeInstanceOf(StorageError)
      expect(error.message).toMatch(
        new RegExp(`^${dir}: cannot be read or written \\((ENOTDIR|EEXIST)\\); check`),
      )
    }
  })
})

describe('an interrupted first start', () => {
  async function leaveIntent(written: number): Promise<void> {
    await open().initialize(keys)
    await writeFile(join(dir, '.change.json'), formatChange({ put: keys, remove: [] }), { mode: 0o600 })
    for (const key of keys.slice(written)) await rm(fileOf(key))
  }

  test.each([0, 1, 2])(
    'with %i of its 2 files written is completed by the next list or start',
    async (written) => {
      for (const next of ['list', 'initialize'] as const) {
        await leaveIntent(written)
        if (next === 'initialize') await open().initialize(await createFirstKeys('ES256', NOW))
        expect(sorted(await open().list())).toEqual(sorted(keys))
        expect((await readdir(dir)).sort()).toEqual(
          [...keys.map(({ kid }) => `${kid}.json`), ...LOCKS].sort(),
        )
      }
    },
  )

  test('leaves temporary files, which are deleted once they are old', async () => {
    await mkdir(dir, { recursive: true })
    await writeFile(join(dir, '.temporary-old'), 'x')
    await writeFile(join(dir, '.temporary-new'), 'x')
    const old = Date.now() / 1000 - 61
    await utimes(join(dir, '.temporary-old'), old, old)
    await open().initialize(keys)
    expect((await readdir(dir)).filter((name) => name.startsWith('.temporary'))).toEqual(['.temporary-new'])
  })
})

describe('processes', () => {
  const script = join(import.meta.dirname, 'start-keys.ts')
  const running: ChildProcess[] = []
  afterAll(() => {
    for (const child of running) child.kill('SIGKILL')
  })

  async function start(count: number, folder: string) {
    const child = spawn(process.execPath, [script, String(count), folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    running.push(child)
    const lines: string[] = []
    const reader = createInterface({ input: child.stdout })
    await once(reader, 'line')
    reader.on('line', (line) => lines.push(line))
    const ended = Promise.all([once(child, 'exit'), once(reader, 'close')])
    return { child, lines, ended }
  }

  test('that start together get the same keys, and a reader never sees only some of them', async () => {
    const count = 100
    const folder = await mkdtemp(join(root, 'race-'))
    const starters = await Promise.all([start(count, folder), start(count, folder)])
    for (const { child } of starters) child.stdin!.write('go\n')
    let isOver = false
    const ended = Promise.all(starters.map((starter) => starter.ended)).then(() => {
      isOver = true
    })
    const seen = new Set<number>()
    for (let look = 0; !isOver; look += 1) {
      const store = createFileKeyStore(join(folder, String(look % count)), { production: true })
      seen.add((await store.list()).length)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await ended
    expect(starters[0]!.lines).toHaveLength(count)
    expect(starters[1]!.lines).toEqual(starters[0]!.lines)
    for (const line of starters[0]!.lines) expect(line.split(' ')).toHaveLength(2)
    expect([...seen].sort()).toEqual([0, 2])
  })

  test('that are killed at any moment leave all keys or none, and the next start succeeds', {
    timeout: 180_000,
  }, async () => {
    const count = 400
    let halves = 0
    for (let round = 0; round < 20; round += 1) {
      const folder = await mkdtemp(join(root, 'kill-'))
      const { child, lines, ended } = await start(count, folder)
      child.stdin!.write('go\n')
      await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 50))
      child.kill('SIGKILL')
      await ended
      expect(lines.length, 'the child must be killed at work').toBeLessThan(count)

      for (const [index, name] of (await readdir(folder)).sort((a, b) => Number(a) - Number(b)).entries()) {
        const names = await readdir(join(folder, name))
        if (names.some((one) => one === '.change.json' || one.startsWith('.temporary'))) halves += 1
        const store = createFileKeyStore(join(folder, name), { production: true })
        const found = await store.list()
        expect([0, 2]).toContain(found.length)
        // Keys that a process reported as stored are stored.
        if (index < lines.length)
          expect(
            found
              .map((key) => key.kid)
              .sort()
              .join(' '),
          ).toBe(lines[index])
        await store.initialize(keys)
        expect(sorted(await store.list())).toEqual(sorted(found.length === 2 ? found : keys))
      }
    }
    expect(halves, 'some kills must hit a start half way').toBeGreaterThan(0)
  })
})
