// Counters in this process's memory. Each process counts separately, and a restart clears all counts.

import type { Counters } from './counters.ts'
import { createMemoryLimits } from './memory-limits.ts'
import { createMemoryOneTime } from './memory-one-time.ts'

/** Counters in memory. Each opened name has its own counts. */
export function createMemoryCounters(): Counters {
  return {
    openLimits: () => createMemoryLimits(),
    openOneTime: (_name, budget) => createMemoryOneTime(budget),
  }
}
