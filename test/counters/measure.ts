// Fills a store and prints how many bytes of memory it uses, as JSON: `{"bytes":…,"kept":…}`. `kept` has no meaning: reading
// it keeps the store in memory until it is measured. Run with --expose-gc and the argument `one-time` or `limits`.

import { createHash } from 'node:crypto'
import { createMemoryLimits } from '../../src/counters/memory-limits.ts'
import { createMemoryOneTime } from '../../src/counters/memory-one-time.ts'
import { proofBudget } from '../../src/verify/dpop/use-proof.ts'

const NOW = 1_800_000_000
const QUOTA = { requests: 6000, seconds: 60 }
const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')

function measure(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
}

/** Fills the whole store: each tenant, except the last, uses its whole budget. */
function fillOneTime(): object {
  const store = createMemoryOneTime(proofBudget)
  for (let at = 0; at < proofBudget.inAll; at += 1) {
    const tenant = digest(`tenant ${Math.floor(at / proofBudget.perTenant)}`)
    store.use({ tenant, id: digest(`id ${at}`), expiresAt: NOW + 31 + (at % 120), now: NOW })
  }
  return store
}

/** Sends one request from each of 150,000 IPv6 networks. */
function fillLimits(): object {
  const limits = createMemoryLimits()
  for (let at = 0; at < 150_000; at += 1) limits.hit(`a:2001:db8:${at.toString(16)}:ab00::/56`, QUOTA)
  return limits
}

const before = measure()
const filled = process.argv[2] === 'limits' ? fillLimits() : fillOneTime()
const bytes = measure() - before
process.stdout.write(`${JSON.stringify({ bytes, kept: Object.keys(filled).length > 0 })}\n`)
