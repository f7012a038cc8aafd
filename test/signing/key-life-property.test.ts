// Random sequences of operations by two processes on one key store while time passes. A key ring follows the store.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { createKeyLife } from '../../src/signing/key-life.ts'
import { openKeyRing } from '../../src/signing/key-ring.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { createMemoryKeys } from '../support/memory-keys.ts'
import { ALGORITHMS, count, DAY, GRACE, HOUR, NOW } from './plans.ts'

type Step =
  | { readonly do: 'rotate'; readonly by: 0 | 1; readonly force: boolean }
  | { readonly do: 'end'; readonly by: 0 | 1; readonly which: number }
  | { readonly do: 'maintain' | 'open'; readonly by: 0 | 1 }
  | { readonly do: 'wait'; readonly ms: number }

const by = fc.constantFrom(0 as const, 1 as const)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('rotate' as const), by, force: fc.boolean() }),
  fc.record({ do: fc.constant('end' as const), by, which: fc.nat(20) }),
  fc.record({ do: fc.constantFrom('maintain' as const, 'open' as const), by }),
  { weight: 2, arbitrary: fc.record({ do: fc.constant('maintain' as const), by }) },
  fc.record({
    do: fc.constant('wait' as const),
    ms: fc.oneof(fc.integer({ min: 0, max: 3 * DAY }), fc.constantFrom(HOUR, DAY, DAY + GRACE, -HOUR)),
  }),
)

const PUBLISH_MS = HOUR
const engine = { ...nodeCryptoEngine, loadVerifier }
const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid

describe.each(ALGORITHMS)('%s', (alg) => {
  test.each([1, 4])('%i steps at a time', { timeout: 120_000 }, async (together) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const memory = createMemoryKeys()
        const terms = { alg, publishMs: PUBLISH_MS, rotationMs: 2 * DAY, lifetimeMs: DAY }
        const lives = [createKeyLife(memory.store, terms), createKeyLife(memory.store, terms)] as const
        let now = NOW
        // Time that really passed: setting the clock back does not shorten the life of a token.
        let elapsed = 0
        await Promise.all(lives.map((life) => life.open(now)))
        const ring = await openKeyRing(memory.store, engine, alg, () => false)
        const material = new Map<string, string>()
        const signedUntil = new Map<string, number>()
        const ended = new Set<string>()

        const take = async (one: Step): Promise<void> => {
          if (one.do === 'wait') {
            now += one.ms
            elapsed += Math.max(0, one.ms)
          } else if (one.do === 'rotate') await lives[one.by].rotate(now, { force: one.force })
          else if (one.do === 'end') {
            const kid = [...material.keys()][one.which % Math.max(1, material.size)] ?? 'none'
            if (await lives[one.by].end(kid, now)) ended.add(kid)
          } else if (one.do === 'open') await lives[one.by].open(now)
          else await lives[one.by].maintain(now, () => false)
        }

        async function look(): Promise<void> {
          const keys = memory.keys()
          expect([count(keys, alg, 'current'), count(keys, alg, 'pending')]).toEqual([1, 1])
          for (const { kid, jwk, state } of keys) {
            // A kid is never given to another key, and an ended key stays ended.
            const text = JSON.stringify(jwk)
            expect(material.get(kid) ?? text).toBe(text)
            material.set(kid, text)
            if (ended.has(kid)) expect(state).toBe('expired')
          }
          await ring.refresh()
          const token = await ring.sign('{}')
          const kid = kidOf(token)
          expect(kid).toBe(ring.kid)
          expect(ended).not.toContain(kid)
          signedUntil.set(kid, elapsed + DAY)
          expect(await ring.find(kid)?.verify(token)).toBe(true)
          // Every signed token verifies, here and at other verifiers, until it expires or its key is ended.
          for (const [signer, until] of signedUntil) {
            if (until <= elapsed || ended.has(signer)) continue
            expect([ring.find(signer)?.kid, ring.isEnded(signer)]).toEqual([signer, false])
            if (alg !== 'HS256') expect(ring.publicKeySet.body).toContain(signer)
          }
          for (const gone of ended) {
            if (ring.find(gone) !== undefined) expect(ring.isEnded(gone)).toBe(true)
            expect(ring.publicKeySet.body).not.toContain(gone)
          }
          if (alg === 'HS256') expect(ring.publicKeySet.body).toBe('{"keys":[]}')
        }

        await look()
        for (let index = 0; index < steps.length; index += together) {
          await Promise.all(steps.slice(index, index + together).map(take))
          await look()
        }
      }),
      { numRuns: 100 },
    )
  })
})
