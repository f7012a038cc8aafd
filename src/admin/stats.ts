// GET /admin/stats: what this process has issued, let pass and refused since it began. Counts, and nothing of requests.

import type { Handler } from '../http/context.ts'
import type { Metrics } from '../http/metrics.ts'
import { answerJson } from './exchange.ts'

/** The handler: the totals of `metrics` as JSON. */
export function createStatsHandler(metrics: Pick<Metrics, 'readTotals'>): Handler {
  return async (context) => answerJson(context, 200, await metrics.readTotals())
}
