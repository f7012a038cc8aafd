// The verifier of a service in this process, and the handler of `POST /admin/explain` for it.

import { createExplain, createExplainPaths, type Explanation } from '../../src/admin/explain.ts'
import type { Route } from '../../src/http/context.ts'
import { createMetrics, type Metrics } from '../../src/http/metrics.ts'
import { createServe } from '../../src/http/serve.ts'
import { createRevocationRules } from '../../src/service/revocation/rules.ts'
import { createServiceVerifier, type ServiceVerifier } from '../../src/service/verifier.ts'
import { proofBudget } from '../../src/verify/dpop/use-proof.ts'
import type { MemoryService } from './memory.ts'
import type { Json } from './wire.ts'

export interface Explaining {
  readonly verifier: ServiceVerifier
  /** Sends this JSON to the handler. */
  post(body: Json): Promise<{ readonly status: number; readonly headers: Headers; readonly body: Json }>
  /** The explanation. Rejects on any status but 200. */
  explain(body: object): Promise<Explanation>
  /** The state that explaining must not change: metrics, records and log lines. */
  snapshot(): Promise<string>
}

export function createExplaining({ deps, lines }: MemoryService): Explaining {
  const { config, storage, log, metrics, now } = deps
  const rules = createRevocationRules({ ...deps, sharesWork: true })
  const verifier = createServiceVerifier({
    ...deps,
    rules,
    proofs: deps.counters.openOneTime('proofs', proofBudget),
  })
  const { createTrialJudge, policy, facts, serviceOrigin } = verifier
  const explain = createExplain({ createTrialJudge, policy, facts, serviceOrigin, now })
  const route = Object.values(createExplainPaths({ explain }))[0] as Route
  // Each request to the handler counts in the HTTP metrics. They go to a registry that `snapshot` does not show.
  const serve = createServe({
    ...config,
    docs: `${config.issuer}/docs`,
    now,
    log,
    metrics: createMetrics(),
    logsRequests: false,
  })

  const post: Explaining['post'] = async (body) => {
    const request = new Request(`${config.issuer}/admin/explain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = await serve(route, request, '127.0.0.1')
    return { status: answer.status, headers: answer.headers, body: await answer.json() }
  }

  return {
    verifier,
    post,
    async explain(body) {
      const answer = await post(body)
      if (answer.status !== 200) throw new Error(JSON.stringify(answer.body))
      return answer.body
    },
    async snapshot() {
      const accounts = await storage.listAccounts(undefined, 200)
      const records = await Promise.all([
        renderCounts(metrics),
        ...accounts.map(({ id }) => storage.listCredentials(id)),
        storage.listAudit(undefined, 200),
        storage.listRuleChanges({ seq: -1, id: '' }, 1000),
      ])
      return JSON.stringify([accounts, records, lines.length])
    },
  }
}

/** The metrics without ages, which grow with time. */
async function renderCounts(metrics: Metrics): Promise<string> {
  return (await metrics.render()).replaceAll(/^claimgate_staleness.*$/gm, '')
}
