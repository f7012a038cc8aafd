// Last uses of credentials: collected, written together, and kept while they cannot be written.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createUseLog, type UseLog } from '../../src/service/use-log.ts'
import { StorageError } from '../../src/storage/errors.ts'
import { createMemoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { addAccount } from '../support/records.ts'
import { keepLog } from '../support/service-parts.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

interface Trial {
  readonly uses: UseLog
  readonly lines: readonly string[]
  /** All writes to the store, oldest first. */
  readonly writes: readonly ReadonlyMap<string, number>[]
  /** Work to be run later, with its delay in milliseconds. */
  readonly deferred: readonly (readonly [number, () => Promise<void>])[]
  /** Sets how the store answers from now on. */
  answer(how: Storage['touchCredentials']): void
}

const succeed = async (): Promise<void> => undefined
const refuse = async (): Promise<void> => {
  throw new StorageError('the store is down')
}

function tryUses(runs = true): Trial {
  const { log, lines } = keepLog()
  const writes: ReadonlyMap<string, number>[] = []
  const deferred: (readonly [number, () => Promise<void>])[] = []
  let how: Storage['touchCredentials'] = succeed
  const uses = createUseLog({
    storage: {
      touchCredentials(written) {
        writes.push(new Map(written))
        return how(written)
      },
    },
    log,
    defer(milliseconds, work) {
      deferred.push([milliseconds, work])
      if (runs) setTimeout(() => void work(), milliseconds)
    },
  })
  return {
    uses,
    lines,
    writes,
    deferred,
    answer: (next) => {
      how = next
    },
  }
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

test('uses are written together once a second, the latest of each credential', async () => {
  const { uses, writes, deferred } = tryUses()
  for (let time = 0; time < 3000; time += 10) {
    uses.note('a', time)
    if (time % 500 === 0) uses.note('b', time)
    await pass(10)
  }
  expect(deferred.map(([milliseconds]) => milliseconds)).toEqual(deferred.map(() => 1000))
  await pass(2000)
  expect(writes.length).toBeGreaterThanOrEqual(3)
  expect(writes.length).toBeLessThanOrEqual(4)
  const last = new Map(writes.flatMap((written) => [...written]))
  expect([...last].sort()).toEqual([
    ['a', 2990],
    ['b', 2500],
  ])
  // Nothing is left, so nothing is deferred.
  const count = deferred.length
  await pass(60_000)
  expect([deferred.length, writes.length]).toEqual([count, writes.length])
})

test('an earlier time never replaces a later one', async () => {
  const { uses, writes } = tryUses()
  for (const time of [5, 9, 7]) uses.note('a', time)
  await uses.flush()
  expect(writes).toEqual([new Map([['a', 9]])])
})

test('a flush writes the collected uses immediately, and only once', async () => {
  const storage = createMemoryStorage()
  const { credential } = await addAccount(storage)
  const uses = createUseLog({ storage, log: keepLog().log, defer: () => undefined })
  await uses.flush()
  uses.note(credential.id, 1_800_000_000_000)
  await uses.flush()
  expect(await storage.findCredential(credential.id)).toMatchObject({
    credential: { lastUsedAt: 1_800_000_000_000 },
  })
})

describe('a write in progress', () => {
  test('neither delays later uses nor includes them', async () => {
    const { uses, writes, answer } = tryUses()
    let end = (): void => undefined
    answer(
      () =>
        new Promise((resolve) => {
          end = resolve
        }),
    )
    uses.note('a', 1)
    uses.note('b', 1)
    await pass(1000)
    uses.note('a', 2)
    uses.note('c', 2)
    await pass(5000)
    // The log itself starts one write at a time.
    expect(writes).toHaveLength(1)
    answer(succeed)
    end()
    await pass(1000)
    expect(writes[1]).toEqual(
      new Map([
        ['a', 2],
        ['c', 2],
      ]),
    )
    expect(writes).toHaveLength(2)
  })

  test('does not let a flush resolve before all earlier uses are written', async () => {
    const { uses, writes, answer } = tryUses()
    answer(() => new Promise(() => undefined))
    uses.note('a', 1)
    await pass(1000)
    answer(succeed)
    await uses.flush()
    expect(writes).toEqual([new Map([['a', 1]]), new Map([['a', 1]])])
  })
})

describe('while the store fails', () => {
  test('a flush does not reject, one line is logged, and the uses are written later', async () => {
    const { uses, writes, lines, answer } = tryUses()
    answer(refuse)
    uses.note('a', 1)
    await pass(1000)
    uses.note('b', 2)
    await uses.flush()
    await pass(5000)
    expect(lines).toEqual([
      'warn: last uses of credentials could not be written; they are kept for the next attempt',
    ])
    // Not more often than once a second.
    expect(writes.length).toBeLessThanOrEqual(8)
    answer(succeed)
    await pass(1000)
    expect(writes.at(-1)).toEqual(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    )
    const count = writes.length
    await pass(5000)
    expect(writes).toHaveLength(count)
    answer(refuse)
    uses.note('a', 9)
    await pass(1000)
    expect(lines).toHaveLength(2)
  })

  test('the ten thousand newest uses are kept', async () => {
    const { uses, writes, answer } = tryUses()
    answer(refuse)
    uses.note('again', 0)
    for (let count = 1; count <= 10_500; count += 1) {
      uses.note(`c${count}`, count)
      if (count === 5000) uses.note('again', count)
    }
    answer(succeed)
    await uses.flush()
    const written = writes.at(-1) ?? expect.unreachable('it was written')
    expect(written.size).toBe(10_000)
    expect(written.get('again')).toBe(5000)
    expect([written.has('c501'), written.has('c502')]).toEqual([false, true])
  })
})

test('deferred work that was cancelled is deferred again after half a minute', async () => {
  const { uses, writes, deferred } = tryUses(false)
  uses.note('a', 1)
  await pass(29_999)
  uses.note('a', 2)
  expect(deferred).toHaveLength(1)
  await pass(1)
  uses.note('b', 3)
  expect(deferred).toHaveLength(2)
  await deferred[1]?.[1]()
  expect(writes).toEqual([
    new Map([
      ['a', 2],
      ['b', 3],
    ]),
  ])
})
