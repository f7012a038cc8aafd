import { beforeEach, describe, expect, test } from 'vitest'
import { createMemoryReplay } from '../../src/verify/replay.ts'

let time: number
beforeEach(() => {
  time = 1_000_000_000
})
const now = (): number => time
const seconds = (offset: number): number => time / 1000 + offset

describe('a memory of what was presented', () => {
  test('a key is new once, and again after its expiry', async () => {
    const { seen } = createMemoryReplay({ now })
    const expiry = seconds(60)
    expect(await seen('a', expiry)).toBe(false)
    expect(await seen('a', expiry)).toBe(true)
    time += 59_999
    expect(await seen('a', expiry)).toBe(true)
    time += 1
    expect(await seen('a', seconds(60))).toBe(false)
    expect(await seen('a', seconds(60))).toBe(true)
  })

  test('a key that is seen again keeps its first expiry', async () => {
    const { seen } = createMemoryReplay({ now })
    await seen('a', seconds(10))
    expect(await seen('a', seconds(1000))).toBe(true)
    time += 10_000
    expect(await seen('a', seconds(10))).toBe(false)
  })

  test('fractions of a second count', async () => {
    const { seen } = createMemoryReplay({ now })
    const expiry = seconds(0.5)
    await seen('a', expiry)
    time += 499
    expect(await seen('a', expiry)).toBe(true)
    time += 1
    expect(await seen('a', seconds(1))).toBe(false)
  })

  test('other keys are other keys, whatever they are called', async () => {
    const { seen } = createMemoryReplay({ now })
    for (const key of ['a', 'A', 'a ', '', '__proto__', 'constructor']) {
      expect(await seen(key, seconds(60))).toBe(false)
    }
  })

  test('of many at once exactly one is new', async () => {
    const { seen } = createMemoryReplay({ now })
    const answers = await Promise.all(Array.from({ length: 50 }, () => seen('a', seconds(60))))
    expect(answers.filter((wasSeen) => !wasSeen)).toHaveLength(1)
  })

  test('two memories know nothing of each other', async () => {
    await createMemoryReplay({ now }).seen('a', seconds(60))
    expect(await createMemoryReplay({ now }).seen('a', seconds(60))).toBe(false)
  })
})

describe('a memory that is full', () => {
  test('takes nothing new and forgets nothing', async () => {
    const { seen } = createMemoryReplay({ now, max: 2 })
    await seen('a', seconds(60))
    await seen('b', seconds(60))
    await expect(seen('c', seconds(60))).rejects.toThrow('full')
    expect(await seen('a', seconds(60))).toBe(true)
    expect(await seen('b', seconds(60))).toBe(true)
  })

  test('has room again when something has expired', async () => {
    const { seen } = createMemoryReplay({ now, max: 2 })
    await seen('a', seconds(10))
    await seen('b', seconds(60))
    time += 10_000
    expect(await seen('c', seconds(60))).toBe(false)
    await expect(seen('d', seconds(60))).rejects.toThrow('full')
    expect(await seen('b', seconds(60))).toBe(true)
  })

  test('lets a key in again that has expired itself, though nothing was swept meanwhile', async () => {
    const { seen } = createMemoryReplay({ now, max: 1 })
    await seen('a', seconds(0.2))
    time += 300
    expect(await seen('a', seconds(60))).toBe(false)
    expect(await seen('a', seconds(60))).toBe(true)
  })

  test('has room again after its clock was set back', async () => {
    const { seen } = createMemoryReplay({ now, max: 1 })
    time += 3_600_000
    await seen('other', seconds(-3590))
    time -= 3_600_000
    await expect(seen('a', seconds(60))).rejects.toThrow('full')
    time += 11_000
    expect(await seen('a', seconds(60))).toBe(false)
  })

  test('holds a hundred thousand unless told otherwise', async () => {
    const { seen } = createMemoryReplay({ now })
    for (let entry = 0; entry < 100_000; entry += 1) await seen(String(entry), seconds(60))
    await expect(seen('one more', seconds(60))).rejects.toThrow('full')
    time += 61_000
    expect(await seen('one more', seconds(60))).toBe(false)
  })
})
