// Upkeep of a running service on a real store and real keys, with a simulated clock: what it completes, when it tries again,
// and what it must not delete.

import { beforeEach, describe, expect, test } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { rotateKeys } from '../../src/admin/key.ts'
import { AUDIT_ID } from '../../src/admin/page.ts'
import { createRevocation } from '../../src/admin/revocation.ts'
import type { AuditEntry } from '../../src/claims/records/account.ts'
import { createRevocationRules } from '../../src/service/revocation/rules.ts'
import { createUpkeep, type Upkeep } from '../../src/service/upkeep.ts'
import { createKeyLife, type KeyLife } from '../../src/signing/key-life.ts'
import { openKeyRing } from '../../src/signing/key-ring.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { createMemoryKeys, type MemoryKeys } from '../support/memory-keys.ts'
import { listRules, makeAudit, makeRevocation } from '../support/records.ts'
import { HOUR, keepLog } from '../support/service-parts.ts'

const NOW = 1_750_000_000_000
const SECOND = 1000
const DAY = 24 * HOUR

let now: number
let storage: Storage
/** The methods of the store that fail. */
let failing: Set<keyof Storage>
let called: (keyof Storage)[]
let memory: MemoryKeys
let life: KeyLife
let lines: readonly string[]
let round: Upkeep

beforeEach(async () => {
  now = NOW
  failing = new Set()
  called = []
  const store = createMemoryStorage()
  storage = new Proxy(store, {
    get: (target, name: keyof Storage) =>
      failing.has(name)
        ? async () => {
            called.push(name)
            throw new StorageError('the database is locked')
          }
        : (...given: never[]) => {
            called.push(name)
            return (target[name] as (...given: never[]) => unknown)(...given)
          },
  })
  memory = createMemoryKeys()
  const terms = { alg: 'ES256', publishMs: 0, rotationMs: 30 * DAY, lifetimeMs: HOUR } as const
  life = createKeyLife(memory.store, terms)
  await life.open(NOW)
  round = await startProcess()
})

/** Upkeep of another process on the same store and keys. */
async function startProcess(auditKeptMs = 400 * DAY): Promise<Upkeep> {
  const kept = keepLog()
  lines = kept.lines
  const parts = { storage, log: kept.log, now: () => now }
  const rules = createRevocationRules({ ...parts, sharesWork: true })
  const engine = { ...nodeCryptoEngine, loadVerifier }
  const keyRing = await openKeyRing(memory.store, engine, 'ES256', rules.isKeyRevoked)
  return createUpkeep({ ...parts, rules, keyRing, keyLife: life, auditKeptMs })
}

async function roundAt(time: number): Promise<void> {
  now = time
  await round()
}

const currentKid = () => memory.keys().find(({ state }) => state === 'current')?.kid ?? ''
const readRotations = async (): Promise<readonly AuditEntry[]> =>
  (await storage.listAudit(undefined, 200)).filter(({ action }) => action === 'key.rotate')

describe('purge', () => {
  const values = async (at: number) => (await listRules(storage, at)).map(({ value }) => value).sort()

  test('keeps every record that is still needed, also when the clock is a day ahead', async () => {
    for (const [value, until] of [
      ['ended', NOW - DAY],
      ['just over', NOW - DAY + 1],
      ['in force', NOW + 1],
      ['for long', NOW + DAY],
    ] as const)
      await storage.addRevocation(makeRevocation({ value, until }), makeAudit())
    await roundAt(NOW)
    expect(await values(0)).toEqual(['for long', 'in force', 'just over'])
    await roundAt(NOW + DAY - 1)
    await roundAt(NOW)
    expect(await values(NOW)).toEqual(['for long', 'in force'])
    await roundAt(NOW + DAY + 1)
    expect(await values(0)).toEqual(['for long'])
  })

  test('runs up to four times in a round while there is more to delete', async () => {
    let parts = 6
    const all = storage
    storage = new Proxy(all, {
      get(_, name: keyof Storage) {
        if (name !== 'purge') return all[name]
        return async () => {
          parts -= 1
          return parts > 0
        }
      },
    })
    round = await startProcess()
    const left: number[] = []
    for (let second = 0; second < 4; second += 1) {
      await roundAt(NOW + second * SECOND)
      left.push(parts)
    }
    expect(left).toEqual([2, 0, 0, 0])
  })

  test('deletes used assertions an hour after their expiry', async () => {
    const use = (jti: string, until: number) => storage.useAssertion('client', jti, until)
    await use('long over', NOW - HOUR)
    await use('just over', NOW - HOUR + 1)
    await roundAt(NOW)
    expect([await use('long over', NOW), await use('just over', NOW)]).toEqual([true, false])
  })

  test.each([1, 30, 400])('deletes audit entries that are older than %i days', async (days) => {
    round = await startProcess(days * DAY)
    const ages = { old: days * DAY + 1, last: days * DAY, young: 0, ahead: -HOUR }
    for (const [target, age] of Object.entries(ages)) {
      await storage.appendAudit(makeAudit({ target, at: NOW - age }))
    }
    const targets = async () => (await storage.listAudit(undefined, 200)).map(({ target }) => target)
    await roundAt(NOW)
    expect(await targets()).toEqual(['ahead', 'young', 'last'])
    await roundAt(NOW + 60_000)
    expect(await targets()).toEqual(['ahead', 'young'])
  })

  test('runs once a minute, and again after a second when it failed', async () => {
    const purges = () => called.filter((name) => name === 'purge').length
    failing.add('purge')
    await roundAt(NOW)
    await roundAt(NOW + SECOND)
    expect([purges(), lines]).toEqual([2, ['warn: upkeep failed; it will be tried again']])
    failing.clear()
    await roundAt(NOW + 2 * SECOND)
    for (let second = 3; second < 62; second += 1) await roundAt(NOW + second * SECOND)
    expect(purges()).toBe(3)
    await roundAt(NOW + 62 * SECOND)
    expect(purges()).toBe(4)
  })
})

describe('a revoked key', () => {
  /** Records the revocation of a key without ending the key, like a process that ends between the two. */
  const revokeHalf = (value: string) =>
    storage.addRevocation(
      makeRevocation({ kind: 'kid', value, before: NOW + HOUR, until: NOW + HOUR }),
      makeAudit(),
    )

  test('that still signs is ended in the next round', async () => {
    await roundAt(NOW)
    const kid = currentKid()
    await revokeHalf(kid)
    await roundAt(NOW + SECOND)
    expect(memory.keys().find((key) => key.kid === kid)?.state).toBe('expired')
    expect(currentKid()).not.toBe(kid)
  })

  test('that still signs is ended a second later when the store failed', async () => {
    await roundAt(NOW)
    const kid = currentKid()
    await revokeHalf(kid)
    memory.fail(new Error('the store is down'))
    await roundAt(NOW + SECOND)
    memory.fail(undefined)
    await roundAt(NOW + 2 * SECOND)
    expect(memory.keys().find((key) => key.kid === kid)?.state).toBe('expired')
  })

  test('stays current while the store is read-only: one log line; later the rotation gets its audit entry', async () => {
    const kid = currentKid()
    await revokeHalf(kid)
    const { replace } = memory.store
    memory.store.replace = () => Promise.reject(new StorageError('the folder is read-only'))
    for (const second of [1, 2, 3]) await roundAt(NOW + second * SECOND)
    expect(lines).toEqual(['warn: upkeep failed; it will be tried again'])
    expect([currentKid(), await readRotations()]).toEqual([kid, []])
    memory.store.replace = replace
    await roundAt(NOW + 60 * SECOND)
    await roundAt(NOW + 120 * SECOND)
    expect(currentKid()).not.toBe(kid)
    expect((await readRotations()).map(({ at, target }) => [at, target])).toEqual([
      [NOW + 60 * SECOND, currentKid()],
    ])
  })

  test('that is not stored costs nothing: a round reads the keys twice', async () => {
    for (let index = 0; index < 20; index += 1) await revokeHalf(`gone-${index}`)
    await roundAt(NOW)
    await roundAt(NOW + 20 * SECOND)
    const before = memory.reads()
    await roundAt(NOW + 21 * SECOND)
    expect(memory.reads() - before).toBe(2)
  })
})

describe('the audit log has one entry for each rotation', () => {
  const entryOf = (kid: string, at: number, more: Partial<AuditEntry>) => ({
    id: expect.stringMatching(AUDIT_ID),
    at,
    action: 'key.rotate',
    target: kid,
    ...more,
  })
  const ports = () => ({
    settleMs: 0,
    storage,
    keyLife: life,
    lifetimeSeconds: HOUR / 1000,
    onChange: async () => undefined,
  })
  /** Rotates like a process that ends before it writes the audit entry. */
  async function rotateAndDie(at: number): Promise<string> {
    expect((await life.rotate(at, { force: true })).ok).toBe(true)
    return currentKid()
  }
  const RECOVERED = { actor: 'system', detail: { recovered: true } }

  test('also when the process ended before it wrote one', async () => {
    const kid = await rotateAndDie(NOW + 1)
    await roundAt(NOW + 10_001)
    expect(await readRotations()).toEqual([])
    await roundAt(NOW + 10_002)
    const entries = [entryOf(kid, NOW + 1, RECOVERED)]
    expect(await readRotations()).toEqual(entries)
    await roundAt(NOW + 90_000)
    round = await startProcess()
    await roundAt(NOW + 100_000)
    expect(await readRotations()).toEqual(entries)
  })

  test('also when several rotations followed each other', async () => {
    const kids = [await rotateAndDie(NOW + 1), await rotateAndDie(NOW + 2)]
    await roundAt(NOW + HOUR)
    expect(await readRotations()).toEqual([
      entryOf(kids[1]!, NOW + 2, RECOVERED),
      entryOf(kids[0]!, NOW + 1, RECOVERED),
    ])
  })

  test('and none for keys that were not rotated, or more than a day ago', async () => {
    await roundAt(NOW + HOUR)
    expect(await readRotations()).toEqual([])
    await rotateAndDie(NOW + HOUR)
    round = await startProcess()
    await roundAt(NOW + HOUR + DAY + 1)
    expect(await readRotations()).toEqual([])
  })

  test('and no entry is written again once it is known to exist', async () => {
    await rotateAndDie(NOW + 1)
    await roundAt(NOW + HOUR)
    called.length = 0
    await roundAt(NOW + HOUR + SECOND)
    expect(called).not.toContain('appendAuditOnce')
  })

  test('which names the administrator who rotated', async () => {
    const rotated = await rotateKeys(ports(), { force: true }, 'cli', NOW + 1)
    expect(rotated.ok).toBe(true)
    await roundAt(NOW + HOUR)
    const detail = { forced: true }
    expect(await readRotations()).toEqual([entryOf(currentKid(), NOW + 1, { actor: 'cli', detail })])
  })

  test('which is written later when writing it failed', async () => {
    failing.add('appendAuditOnce')
    await expect(rotateKeys(ports(), { force: true }, 'admin', NOW + 1)).rejects.toThrow(StorageError)
    await roundAt(NOW + HOUR)
    failing.clear()
    await roundAt(NOW + HOUR + SECOND)
    expect(await readRotations()).toEqual([entryOf(currentKid(), NOW + 1, RECOVERED)])
  })

  test('also for scheduled rotations, and also when writing it failed at first', async () => {
    for (const later of [0, SECOND, HOUR]) await roundAt(NOW + 30 * DAY + later)
    const system = { actor: 'system', detail: null }
    const first = entryOf(currentKid(), NOW + 30 * DAY, system)
    expect(await readRotations()).toEqual([first])
    // Meanwhile the old key expires.
    for (const day of [40, 50]) await roundAt(NOW + day * DAY)
    failing.add('appendAuditOnce')
    await roundAt(NOW + 60 * DAY)
    failing.clear()
    await roundAt(NOW + 60 * DAY + HOUR)
    expect(await readRotations()).toEqual([entryOf(currentKid(), NOW + 60 * DAY, RECOVERED), first])
    expect(lines.filter((line) => line === 'info: the signing key was rotated')).toHaveLength(2)
  })

  test('also for a key that replaced a revoked one', async () => {
    const kid = currentKid()
    const input = { kind: 'kid', value: kid, issuedBefore: undefined } as const
    await createRevocation(ports(), input, 'admin', NOW + 1)
    await roundAt(NOW + HOUR)
    expect(currentKid()).not.toBe(kid)
    const detail = { ended: kid }
    expect(await readRotations()).toEqual([entryOf(currentKid(), NOW + 1, { actor: 'admin', detail })])
    // Ending a key that does not sign is not a rotation.
    await createRevocation(ports(), { ...input, value: memory.keys().at(-1)?.kid ?? '' }, 'admin', NOW + HOUR)
    await roundAt(NOW + 2 * HOUR)
    expect(await readRotations()).toHaveLength(1)
  })
})
