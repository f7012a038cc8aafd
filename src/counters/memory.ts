// Counters in this process's memory: each process counts for itself, and a restart forgets.

import type { Counters } from './counters.ts'
import { createMemoryLimits } from './memory-limits.ts'
import { createMemoryOneTime } from './memory-one-time.ts'

/** Each name that is opened gets separate counts. */
export function createMemoryCounters(): Counters {
  return {
    openLimits: () => createMemoryLimits(),
    openOneTime: (_name, budget) => createMemoryOneTime(budget),
  }
}
