// Builds every route of the service. A factory outside this folder gets only the members that it needs, so that no secret of
// the configuration reaches code that does not use it.

import { createExplain } from '../admin/explain.ts'
import { enforceRevocations } from '../admin/key.ts'
import { type AdminGuard, createAdminGuard, createAdminRoutes, WRONG_TOKEN_QUOTA } from '../admin/routes.ts'
import { NO_STORE, NOWHERE, type Route } from '../http/context.ts'
import { createRateLimiter } from '../http/limits.ts'
import { publicCors } from '../http/public-cors.ts'
import { formatMultisetProblem } from '../issue/multiset-wire.ts'
import { createDocsHandler } from '../service/docs.ts'
import { createForwardAuth } from '../service/forward-auth/route.ts'
import {
  createDatabaseCheck,
  createKeysCheck,
  createMetricsRoute,
  createReadyHandler,
  healthHandler,
} from '../service/health.ts'
import { createKeySetHandler } from '../service/key-set.ts'
import { createRevocationsHandler } from '../service/revocation/document.ts'
import { sdkHandler } from '../service/sdk.ts'
import { createServiceVerifier, createWhoamiJudge, type ServiceVerifier } from '../service/verifier.ts'
import { createWhoamiHandler } from '../service/whoami.ts'
import { proofBudget } from '../verify/dpop/use-proof.ts'
import type { AppDeps } from './deps.ts'
import { createIssuingRoutes, type IssuingRoutes } from './issuing.ts'

/** Every route of the service. `admin` holds the routes of the admin API by path. */
export interface Routes extends IssuingRoutes {
  readonly whoami: Route
  readonly forwardAuth: Route
  readonly keySet: Route
  readonly revocations: Route
  readonly admin: Readonly<Record<string, Route>>
  readonly sdk: Route
  readonly docs: Route
  readonly health: Route
  readonly ready: Route
  readonly metrics: Route
  /** 404 in MultiSet's format, for the other paths below /v1/m2m and /m2m. */
  readonly multisetNotFound: Route
  /** 404 with CORS headers: a page of any origin may read it. */
  readonly wellKnownNotFound: Route
}

/** Builds every route. Does no I/O. */
export function createRoutes(deps: AppDeps): Routes {
  const { config, keyRing, rules, log, metrics } = deps
  const verifier = createServiceVerifier({
    config: { issuer: config.issuer, audience: config.audience, clockTolerance: config.clockTolerance },
    storage: deps.storage,
    keyRing,
    rules,
    log,
    proofs: deps.counters.openOneTime('proofs', proofBudget),
  })
  const guard = createGuard(deps)
  metrics.watchAge('signing keys', () => keyRing.ageMs() / 1000)
  metrics.watchAge('revocations', () => toSeconds(rules.ageMs()))
  const checks = { database: createDatabaseCheck(deps.storage, rules), keys: createKeysCheck(keyRing) }
  return {
    ...createIssuingRoutes(deps, verifier),
    whoami: {
      name: 'whoami',
      headers: NO_STORE,
      cors: verifier.cors,
      methods: { GET: createWhoamiHandler(createWhoamiJudge(verifier), metrics) },
    },
    forwardAuth: createForwardAuth({
      trustedProxies: config.trustedProxies,
      audience: config.audience,
      serviceOrigin: verifier.serviceOrigin,
      cors: verifier.cors,
      createJudge: verifier.createJudge,
      metrics,
      log,
    }),
    keySet: { name: 'jwks', cors: publicCors, methods: { GET: createKeySetHandler(keyRing) } },
    revocations: {
      name: 'revocations',
      cors: publicCors,
      methods: {
        GET: createRevocationsHandler({
          issuer: config.issuer,
          rules,
          keyRing,
          now: deps.now,
          sharesWork: deps.sharesWork,
        }),
      },
    },
    admin: createAdministration(deps, verifier, guard),
    sdk: { name: 'sdk', cors: publicCors, methods: { GET: sdkHandler } },
    docs: { name: 'docs', methods: { GET: createDocsHandler() } },
    health: { name: 'healthz', methods: { GET: healthHandler } },
    ready: {
      name: 'readyz',
      methods: { GET: createReadyHandler({ checks, isStopping: deps.isStopping }, metrics) },
    },
    metrics: createMetricsRoute(
      { mode: config.metrics, guard, trustedProxies: config.trustedProxies },
      metrics,
    ),
    multisetNotFound: { ...NOWHERE, formatProblem: formatMultisetProblem },
    wellKnownNotFound: { ...NOWHERE, cors: publicCors },
  }
}

/** Creates the guard that checks the admin token; null when no admin token is configured. */
function createGuard({ config, counters, log, metrics }: AppDeps): AdminGuard | null {
  if (config.adminToken === null) return null
  return createAdminGuard({
    adminToken: config.adminToken,
    limiter: createRateLimiter(counters.openLimits('admin'), WRONG_TOKEN_QUOTA),
    countRefused: metrics.countAdminRefused,
    log,
  })
}

function createAdministration(
  deps: AppDeps,
  verifier: ServiceVerifier,
  guard: AdminGuard | null,
): Readonly<Record<string, Route>> {
  const { config, keyRing, rules, log } = deps
  return createAdminRoutes({
    guard,
    storage: deps.storage,
    hashSecret: deps.hashSecret,
    maxTtl: config.maxTtl,
    lifetimeSeconds: deps.lifetimeSeconds,
    settleMs: deps.settleMs,
    keyLife: enforceRevocations(deps.keyLife, rules.isKeyRevoked),
    flushUses: deps.uses.flush,
    // Revocations are read first, because they stop a revoked key from signing even if the key store cannot be read.
    onChange: async () => {
      await rules.refresh()
      await keyRing.refresh().catch((error: unknown) => log.warn('signing keys cannot be read', { error }))
    },
    explain: createExplain({
      createTrialJudge: verifier.createTrialJudge,
      facts: verifier.facts,
      policy: verifier.policy,
      serviceOrigin: verifier.serviceOrigin,
      now: deps.now,
    }),
    metrics: deps.metrics,
  })
}

function toSeconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000
}
