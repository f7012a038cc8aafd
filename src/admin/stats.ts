// GET /admin/stats: how many tokens this process has issued, verified and refused since it started.

import type { Metrics } from '../http/metrics.ts'
import { type AdminPaths, answerJson } from './json-api.ts'

/** The path of the statistics: the totals of `metrics` as JSON. They hold counts only, nothing of any request. */
export function createStatsPaths({ metrics }: { readonly metrics: Pick<Metrics, 'readTotals'> }): AdminPaths {
  return {
    '/admin/stats': {
      name: 'admin.stats',
      methods: { GET: async (context) => answerJson(context, 200, await metrics.readTotals()) },
    },
  }
}
