// Counters in this process's memory. Each process counts separately, and a restart clears all counts.

import type { Counters } from './counters.ts'
import { createMemoryLimits } from './memory-limits.ts'
import { createMemoryOneTime } from './memory-one-time.ts'

/** Creates counters in memory. Each call of `openLimits` and `openOneTime` gives separate counts. */
export function createMemoryCounters(): Counters {
  return {
    openLimits: () => createMemoryLimits(),
    openOneTime: (_name, budget) => createMemoryOneTime(budget),
  }
}
