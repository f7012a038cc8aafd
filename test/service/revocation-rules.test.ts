// Rules in this process's memory: how old they may be, which requests wait for them, and what applies while the store is
// slow, hangs or is down.

import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { RevocationRule } from '../../src/claims/records/revocation.ts'
import { createRevocationRules, type RevocationRules } from '../../src/service/revocation/rules.ts'
import {
  claimsWith,
  createRuleStore,
  HOUR,
  keepLog,
  type RuleStore,
  ruleWith,
} from '../support/service-parts.ts'

/** Both clocks stand still until a test advances them; the test's own `sleep` is real. */
function stopClocks(): void {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] })
}

beforeEach(stopClocks)
afterEach(() => {
  vi.useRealTimers()
})

interface Trial extends RuleStore {
  readonly rules: RevocationRules
  readonly lines: readonly string[]
  /** Whether the valid token is revoked. */
  isRevoked(): boolean | Promise<boolean>
}

function tryRules(sharesWork = true, store = createRuleStore()): Trial {
  const { log, lines } = keepLog()
  const rules = createRevocationRules({
    storage: store.storage,
    log,
    now: Date.now,
    sharesWork,
  })
  const token = claimsWith()
  return { ...store, rules, lines, isRevoked: () => rules.isListed(token, 'key-1') }
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

/** The result, and how many milliseconds of the stopped clock it took. */
async function clocked<T>(work: T | Promise<T>): Promise<readonly [T, number]> {
  const start = performance.now()
  let end: number | undefined
  const done = Promise.resolve(work).finally(() => {
    end = performance.now()
  })
  for (let ms = 0; ms < 10_000 && end === undefined; ms += 10) await pass(10)
  return [await done, Math.floor(((end ?? Number.NaN) - start) / 100) * 100]
}

describe('a rule revokes', () => {
  const now = Date.UTC(2030, 0, 1)
  const iat = now / 1000
  test.each<[string, Partial<RevocationRule>, boolean]>([
    ['the token of its jti', {}, true],
    ['no token with another jti', { value: 'jti-2' }, false],
    ['the tokens of its credential', { kind: 'client_id', value: 'client1' }, true],
    ['no tokens of a credential whose id equals a revoked jti', { kind: 'client_id', value: 'jti-1' }, false],
    ['the tokens of its account', { kind: 'sub', value: 'acct_1' }, true],
    ['no tokens of another account', { kind: 'sub', value: 'acct_2' }, false],
    ['the tokens under its key', { kind: 'kid', value: 'key-1' }, true],
    ['no tokens under another key', { kind: 'kid', value: 'key-2' }, false],
    ['a token issued in the second in which the rule begins', { before: now + 1 }, true],
    ['no token issued in the second that begins when the rule begins', { before: now }, false],
    ['no token issued later', { before: now - 1000 }, false],
    ['nothing for the value __proto__, which every object has as a member', { value: '__proto__' }, false],
  ])('%s', async (_, rule, isEnded) => {
    vi.setSystemTime(now)
    const { rules } = tryRules(true, createRuleStore([ruleWith({ value: 'other' }), ruleWith(rule)]))
    expect(await rules.isListed(claimsWith({ iat }), 'key-1')).toBe(isEnded)
  })

  test('tokens until they expire, also when the store is not read again', async () => {
    vi.setSystemTime(now)
    const { isRevoked, answer, rules } = tryRules(
      true,
      createRuleStore([ruleWith({ until: Date.now() + 600_000 })]),
    )
    const token = claimsWith()
    expect(await isRevoked()).toBe(true)
    answer('with a fault')
    await pass(600_500)
    // Within clock tolerance.
    expect(await rules.isListed(token, 'key-1')).toBe(true)
    expect(await rules.isListed({ ...token, exp: token.exp + 1 }, 'key-1')).toBe(false)
  })
})

describe('the rules in memory', () => {
  test('answer synchronously for a second, then are read again, once for concurrent requests', async () => {
    const { isRevoked, reads, store } = tryRules()
    expect(isRevoked()).toBeInstanceOf(Promise)
    await pass(0)
    expect([isRevoked(), isRevoked(), reads()]).toEqual([false, false, 1])
    store([ruleWith()])
    await pass(999)
    expect([isRevoked(), reads()]).toEqual([false, 1])
    await pass(1)
    expect(await Promise.all(Array.from({ length: 20 }, isRevoked))).toEqual(Array(20).fill(true))
    expect(reads()).toBe(2)
    expect(isRevoked()).toBe(true)
  })

  test('have an age that counts from the beginning of their read', async () => {
    const { isRevoked, answer } = tryRules()
    await isRevoked()
    answer({ afterMs: 400 })
    await pass(1000)
    await clocked(isRevoked())
    await pass(500)
    expect(isRevoked()).toBe(false)
    await pass(200)
    expect(isRevoked()).toBeInstanceOf(Promise)
  })

  test('are read again after a second, also when the system clock is changed', async () => {
    const { isRevoked, store } = tryRules()
    await isRevoked()
    store([ruleWith()])
    vi.setSystemTime(Date.now() - 10 * HOUR)
    await pass(1000)
    expect(await isRevoked()).toBe(true)
  })

  test('are the same array while nothing changes', async () => {
    const { rules, store } = tryRules(true, createRuleStore([ruleWith()]))
    const first = await rules.read()
    await pass(5000)
    const second = await rules.read()
    expect(second?.rules).toBe(first?.rules)
    expect(second?.ageMs).toBeLessThan(100)
    store([ruleWith({ before: 1 })])
    await rules.refresh()
    expect((await rules.read())?.rules).toMatchObject([{ before: 1 }])
  })
})

describe('a request waits', () => {
  test('up to half a second from the beginning of the read, if older rules are known', async () => {
    const { isRevoked, store, answer, reads } = tryRules()
    await isRevoked()
    store([ruleWith()])
    answer({ afterMs: 1500 })
    await pass(1000)
    expect(await clocked(isRevoked())).toEqual([false, 500])
    expect(isRevoked()).toBe(false)
    expect(reads()).toBe(2)
    await pass(1000)
    // Read a second and a half ago: used, and read again.
    expect(await clocked(isRevoked())).toEqual([true, 500])
  })

  test('up to two seconds for the first rules', async () => {
    const { isRevoked, answer } = tryRules(true, createRuleStore([ruleWith()]))
    answer({ afterMs: 1500 })
    expect(await clocked(isRevoked())).toEqual([true, 1500])
  })

  test.each([true, false])(
    'for a limited time when the store hangs (promises shared: %s)',
    async (sharesWork) => {
      const { isRevoked, answer, lines, store } = tryRules(sharesWork)
      answer('never')
      // No rules are known, and an outage must not end every session.
      expect(await clocked(isRevoked())).toEqual([false, 2000])
      expect(isRevoked()).toBe(false)
      expect(lines).toEqual(['error: revocations cannot be read; none are known'])
      answer('immediately')
      store([ruleWith()])
      await pass(1000)
      expect(await isRevoked()).toBe(true)
      answer('never')
      await pass(1000)
      const first = isRevoked()
      // On Workers the request that started the read waits until it is over; others wait as long as elsewhere.
      expect(await clocked(isRevoked())).toEqual([true, 500])
      expect(await clocked(first)).toEqual([true, sharesWork ? 0 : 1500])
      expect(isRevoked()).toBe(true)
    },
  )

  test('a late answer of the store is still used', async () => {
    const { isRevoked, answer, store } = tryRules()
    await isRevoked()
    store([ruleWith()])
    answer({ afterMs: 2500 })
    await pass(1000)
    void isRevoked()
    await pass(2600)
    expect(await clocked(isRevoked())).toEqual([true, expect.any(Number)])
  })
})

describe('on Workers', () => {
  test('concurrent requests cause one read, and none awaits a promise of another', async () => {
    const { isRevoked, answer, reads } = tryRules(false, createRuleStore([ruleWith()]))
    answer({ afterMs: 300 })
    const asked = Array.from({ length: 5 }, () => clocked(isRevoked()))
    expect((await Promise.all(asked)).map(([isEnded]) => isEnded)).toEqual(Array(5).fill(true))
    expect(reads()).toBe(1)
  })

  test('a read that was cancelled with its request is started again', async () => {
    const { isRevoked, answer, store, reads } = tryRules(false)
    await isRevoked()
    answer('never')
    await pass(1000)
    void isRevoked()
    answer('immediately')
    store([ruleWith()])
    await pass(3000)
    expect(await isRevoked()).toBe(true)
    expect(reads()).toBe(3)
  })
})

describe('while the store fails', () => {
  test('the last rules stay in use, the store is read once a second, and one line is logged', async () => {
    const { isRevoked, answer, reads, lines, store } = tryRules(true, createRuleStore([ruleWith()]))
    expect(await isRevoked()).toBe(true)
    answer('with a fault')
    for (let tenth = 0; tenth < 100; tenth += 1) {
      await pass(100)
      expect(await isRevoked()).toBe(true)
    }
    expect(reads()).toBeGreaterThanOrEqual(9)
    expect(reads()).toBeLessThanOrEqual(11)
    expect(lines).toEqual(['warn: revocations cannot be read; the last known ones stay in force'])
    answer('immediately')
    store([])
    await pass(1000)
    expect(await isRevoked()).toBe(false)
    expect(lines.slice(1)).toEqual(['info: revocations can be read again'])
  })

  test('a refresh neither rejects nor hangs', async () => {
    const { rules, answer, lines } = tryRules()
    answer('with a fault')
    await rules.refresh()
    expect(lines).toHaveLength(1)
    answer('never')
    expect((await clocked(rules.refresh()))[1]).toBe(2000)
  })

  test('the rules are served with their age for a day, and still checked after it', async () => {
    const { rules, answer } = tryRules(true, createRuleStore([ruleWith({ until: Date.now() + 90 * HOUR })]))
    answer('with a fault')
    expect(await rules.read()).toBeUndefined()
    answer('immediately')
    await pass(1000)
    expect((await rules.read())?.rules).toHaveLength(1)
    answer('with a fault')
    await pass(23 * HOUR)
    expect(await rules.read()).toMatchObject({ rules: [{ kind: 'jti' }], ageMs: 23 * HOUR })
    await pass(HOUR)
    expect(await rules.read()).toBeUndefined()
    expect(await rules.isListed(claimsWith({ iat: 0 }), 'key-1')).toBe(true)
  })
})

describe('a refresh', () => {
  test('reads the store although the rules are young', async () => {
    const { rules, isRevoked, store } = tryRules()
    await isRevoked()
    store([ruleWith()])
    await rules.refresh()
    expect(isRevoked()).toBe(true)
  })

  test('is not undone by a read that began before the write', async () => {
    const { rules, isRevoked, store, answer, reads } = tryRules()
    await isRevoked()
    await pass(1000)
    answer({ afterMs: 400 })
    const slow = isRevoked()
    store([ruleWith()])
    answer('immediately')
    await rules.refresh()
    expect(isRevoked()).toBe(true)
    await pass(500)
    expect(await slow).toBe(true)
    expect(isRevoked()).toBe(true)
    // The slow read finds nothing new.
    expect(reads()).toBe(3)
  })

  test('has a rule that changes between two pages once, in its latest state', async () => {
    vi.useRealTimers()
    const inForce = Array.from({ length: 1500 }, (_, at) => ruleWith({ value: `jti-${at}` }))
    const { storage, store } = createRuleStore(inForce)
    const [first, ...others] = inForce
    let pages = 0
    const { log } = keepLog()
    const rules = createRevocationRules({
      storage: {
        readRuleSeq: storage.readRuleSeq,
        async listRuleChanges(after, limit) {
          const page = await storage.listRuleChanges(after, limit)
          pages += 1
          // Lifted after its page was read.
          if (pages === 1) store([{ ...(first as RevocationRule), until: 0 }, ...others])
          return page
        },
      },
      log,
      now: Date.now,
      sharesWork: true,
    })
    await rules.refresh()
    const given = (await rules.read())?.rules ?? []
    expect(given).toHaveLength(inForce.length)
    expect(given.filter(({ id }) => id === 'rule-0').map(({ until }) => until)).toEqual([0])
  })

  test('however reads overlap, earlier writes apply and no newer state is replaced', async () => {
    vi.useRealTimers()
    const delay = fc.integer({ min: 0, max: 3 })
    const step = fc.record({ pause: delay, before: delay, after: delay, write: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12 }), fc.boolean(), runSchedule),
      { numRuns: 150 },
    )
  })
})

interface Step {
  /** Turns of the event loop before this step. */
  readonly pause: number
  /** Turns from the start of a read until it sees the version, and from then until the read ends. */
  readonly before: number
  readonly after: number
  /** Whether this step first increases the version. */
  readonly write: boolean
}

/**
 * Each step may change a rule and starts a refresh; the refreshes overlap. The value of the rule is the version that a read has
 * seen. After each refresh, the rules must have at least the version that was written before it, and never an older one again.
 */
async function runSchedule(steps: readonly Step[], sharesWork: boolean): Promise<void> {
  const turns = async (count: number): Promise<void> => {
    for (let turn = 0; turn < count; turn += 1) await sleep(0)
  }
  let version = 0
  let reads = 0
  const stepOf = (): Step => steps[reads % steps.length] ?? expect.unreachable('there are steps')
  const rules = createRevocationRules({
    storage: {
      async readRuleSeq() {
        await turns(stepOf().before)
        const seen = version
        await turns(stepOf().after)
        return seen
      },
      async listRuleChanges(position) {
        const { before, after } = stepOf()
        reads += 1
        await turns(before)
        const seen = version
        await turns(after)
        return seen > position.seq ? [{ ...ruleWith({ value: String(seen) }), id: 'one', seq: seen }] : []
      },
    },
    log: keepLog().log,
    now: Date.now,
    sharesWork,
  })
  const versionInForce = async (): Promise<number> => Number((await rules.read())?.rules[0]?.value)
  let newest = 0
  const look = async (atLeast: number): Promise<void> => {
    const seen = await versionInForce()
    expect(seen).toBeGreaterThanOrEqual(Math.max(atLeast, newest))
    newest = seen
  }
  await rules.refresh()
  const all: Promise<void>[] = []
  for (const { pause, write } of steps) {
    await turns(pause)
    if (write) version += 1
    const written = version
    all.push(rules.refresh().then(() => look(written)))
  }
  await Promise.all(all)
  await look(version)
}
