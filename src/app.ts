// The service: the URL map on one screen, and what every path has in common. Knows ports, names no adapter,
// reads no environment: node.ts and worker.ts do.

import { type Context, Hono } from 'hono'
import { createAdminGuard, WRONG_TOKEN_QUOTA } from './admin/authenticate.ts'
import { createExplain } from './admin/explain.ts'
import { showRevocations } from './admin/key.ts'
import { createAdminRoutes } from './admin/routes.ts'
import type { Config } from './config/config.ts'
import type { Counters, Quota } from './counters/counters.ts'
import { NO_STORE, NOWHERE, type Route } from './http/context.ts'
import { createRateLimiter, type RateLimiter } from './http/limits.ts'
import type { Logger } from './http/log.ts'
import type { Metrics } from './http/metrics.ts'
import { paths } from './http/paths.ts'
import { publicCors } from './http/public-cors.ts'
import { createServe } from './http/serve.ts'
import { createAdmitCredential } from './issue/admission.ts'
import { createAifabrixRoute } from './issue/aifabrix.ts'
import { createAuthenticate, withNote } from './issue/authenticate.ts'
import { createReportBrowser } from './issue/browser.ts'
import { createClaimHandler } from './issue/claim.ts'
import { createIssueToken } from './issue/issue.ts'
import { createCredentialLimit, createRefuseCaller } from './issue/limits.ts'
import { createMint } from './issue/mint.ts'
import { createMultisetRoute } from './issue/multiset.ts'
import { formatMultisetProblem } from './issue/multiset-wire.ts'
import { createSignCurrent } from './issue/sign-current.ts'
import { createExamine } from './oauth/examine.ts'
import { createRevokeToken } from './oauth/revoke.ts'
import { createOAuthRoutes } from './oauth/routes.ts'
import { createDocsHandler } from './service/docs.ts'
import { FORWARD_AUTH_PATH } from './service/forward-auth/question.ts'
import { createForwardAuth } from './service/forward-auth/route.ts'
import {
  createDatabaseCheck,
  createKeysCheck,
  createMetricsRoute,
  createReadyHandler,
  healthHandler,
} from './service/health.ts'
import { createKeySetHandler } from './service/key-set.ts'
import { createRevocationsHandler } from './service/revocation/document.ts'
import type { RevocationRules } from './service/revocation/rules.ts'
import type { UseLog } from './service/use-log.ts'
import { createServiceVerifier, createWhoamiJudge } from './service/verifier.ts'
import { createWhoamiHandler } from './service/whoami.ts'
import type { KeyLife } from './signing/key-life.ts'
import type { KeyRing } from './signing/key-ring.ts'
import type { HashSecret } from './signing/secret.ts'
import type { CachedStorage } from './storage/cached.ts'
import { proofBudget } from './verify/dpop/use-proof.ts'

/** What the service runs on: everything that differs between machines, platforms and tests. */
export interface AppDeps {
  readonly config: Config
  readonly storage: CachedStorage
  /** Longest life of any token that was ever made, seconds: what `storage.raiseLongestLifetime` gave for `maxTtl`. */
  readonly lifetimeSeconds: number
  readonly keyRing: KeyRing
  readonly keyLife: KeyLife
  /** Counts of requests, and the proofs that were used. */
  readonly counters: Counters
  /** What ends tokens before their time. */
  readonly rules: RevocationRules
  /** When credentials were last used. */
  readonly uses: UseLog
  readonly hashSecret: HashSecret
  readonly log: Logger
  readonly metrics: Metrics
  /** Epoch milliseconds. */
  readonly now: () => number
  /** The socket's peer of a request, as text; undefined where the platform does not tell. */
  readonly peerOf: (context: Context) => string | undefined
  /** The request target as it was sent; absent where the platform does not tell. */
  readonly targetOf?: (context: Context) => string | undefined
  /** Whether requests may share one piece of work and wait for it: not on Workers. */
  readonly sharesWork: boolean
  /** See `AdminPorts`: `SETTLE_MS`, or 0 where no other process works on the same records. */
  readonly settleMs: number
  /** True once the process was asked to stop. */
  readonly isStopping: () => boolean
}

/** A credential in a page is put on record so many times in so many seconds; the metric counts on. */
const BROWSER_AUDIT_QUOTA: Quota = { requests: 30, seconds: 60 }

/**
 * The service as a Hono app. Keys are loaded and the store is open: nothing here waits.
 *
 * @example
 * const config = parseConfig({ CLAIMGATE_ISSUER: 'https://auth.example.com', DATABASE_URL: 'memory:' })
 * const app = createApp({ ...adapters, config })
 * const answer = await app.request('/healthz')
 */
export function createApp(deps: AppDeps): Hono {
  const app = new Hono()
  const routes = createRoutes(deps)
  const serve = createServe({
    docs: `${deps.config.issuer}/docs`,
    trustedProxies: deps.config.trustedProxies,
    forwardedHeader: deps.config.forwardedHeader,
    now: deps.now,
    log: deps.log,
    metrics: deps.metrics,
    logsRequests: deps.config.logLevel === 'debug',
  })
  for (const [path, route] of Object.entries(routes)) {
    app.all(path, (context) =>
      serve(route, context.req.raw, deps.peerOf(context), context.req.param(), deps.targetOf?.(context)),
    )
  }
  app.notFound((context) => serve(NOWHERE, context.req.raw, deps.peerOf(context)))
  return app
}

function createRoutes(deps: AppDeps): Readonly<Record<string, Route>> {
  const { config, storage, keyRing, rules, counters, log, metrics, now } = deps
  const { issuer, audience, clockTolerance, tokenTtl, maxTtl } = config
  const verifier = createServiceVerifier({
    config,
    storage,
    keyRing,
    rules,
    log,
    proofs: counters.openOneTime('proofs', proofBudget),
  })
  const proven = createAuthenticate(storage, deps.hashSecret)
  const authenticate = withNote(proven, deps.uses.note)
  const minting = {
    issueToken: createIssueToken(config, () => keyRing.sign),
    signCurrent: createSignCurrent({
      storage,
      readStanding: rules.readStanding,
      refreshRules: rules.refresh,
      now,
    }),
    countIssued: metrics.countIssued,
  }
  const reportBrowser = createReportBrowser({
    storage,
    authenticate: proven,
    log,
    limiter: createRateLimiter(counters.openLimits('browser-audit'), BROWSER_AUDIT_QUOTA),
    count: metrics.countSecretInBrowser,
  })
  // Separate counters: a flood of addresses must not evict the counts of credentials.
  const openLimiter = (name: string): RateLimiter | null =>
    config.rateLimit === null ? null : createRateLimiter(counters.openLimits(name), config.rateLimit)
  const limit = createCredentialLimit(openLimiter('credentials'))
  const refuseCaller = createRefuseCaller(openLimiter('wrong-secrets'))
  const adminGuard =
    config.adminToken === null
      ? null
      : createAdminGuard({
          adminToken: config.adminToken,
          limiter: createRateLimiter(counters.openLimits('admin'), WRONG_TOKEN_QUOTA),
          countRefused: metrics.countAdminRefused,
          log,
        })
  const issuing = {
    tokenTtl,
    maxTtl,
    reportBrowser,
    admit: createAdmitCredential({ authenticate, limit, refuseCaller }),
  }
  const claim: Route = {
    name: 'claim',
    headers: NO_STORE,
    isDoor: true,
    methods: {
      POST: createClaimHandler({
        ...issuing,
        querySecrets: config.querySecrets,
        mint: createMint(minting, 'claim'),
      }),
    },
  }
  const multiset = createMultisetRoute({
    ...issuing,
    mint: createMint(minting, 'multiset'),
    isPrototypeOriginListed: storage.isPrototypeOriginListedStale,
    now,
    log,
  })
  metrics.watchAge('signing keys', () => keyRing.ageMs() / 1000)
  metrics.watchAge('revocations', () => toSeconds(rules.ageMs()))
  const checks = { database: createDatabaseCheck(storage, rules), keys: createKeysCheck(keyRing) }
  return {
    '/auth/claim': claim,
    '/api/auth/claim': claim,
    '/v1/m2m/token': multiset,
    '/m2m/token': multiset,
    '/v1/m2m/*': { ...NOWHERE, formatProblem: formatMultisetProblem },
    '/m2m/*': { ...NOWHERE, formatProblem: formatMultisetProblem },
    '/api/v1/auth/token': createAifabrixRoute({ ...issuing, mint: createMint(minting, 'aifabrix') }),
    ...createOAuthRoutes({
      ...{ issuer, audience, clockTolerance, tokenTtl, maxTtl },
      storage,
      reportBrowser,
      authenticate,
      refuseCaller,
      limit,
      assertionLimit: createCredentialLimit(openLimiter('assertions')),
      noteUse: deps.uses.note,
      mint: createMint(minting, 'oauth'),
      examine: createExamine(verifier),
      revokeToken: createRevokeToken({
        storage,
        refresh: rules.refresh,
        log,
        countFull: metrics.countRevocationsFull,
      }),
      proveKey: verifier.createEndpointProof(issuer + paths.oauthToken),
    }),
    '/auth/whoami': {
      name: 'whoami',
      headers: NO_STORE,
      cors: verifier.cors,
      methods: { GET: createWhoamiHandler(createWhoamiJudge(verifier), metrics) },
    },
    // The bare path included.
    [`${FORWARD_AUTH_PATH}/*`]: createForwardAuth({
      trustedProxies: config.trustedProxies,
      audience: config.audience,
      serviceOrigin: verifier.serviceOrigin,
      cors: verifier.cors,
      createJudge: verifier.createJudge,
      metrics,
      log,
    }),
    '/.well-known/jwks.json': {
      name: 'jwks',
      cors: publicCors,
      methods: { GET: createKeySetHandler(keyRing) },
    },
    '/.well-known/revocations': {
      name: 'revocations',
      cors: publicCors,
      methods: {
        GET: createRevocationsHandler({
          issuer,
          rules,
          keyRing,
          now,
          sharesWork: deps.sharesWork,
        }),
      },
    },
    '/.well-known/*': { ...NOWHERE, cors: publicCors },
    ...createAdminRoutes({
      ...config,
      ...deps,
      guard: adminGuard,
      keyLife: showRevocations(deps.keyLife, rules.isKeyRevoked),
      flushUses: deps.uses.flush,
      // Rules first: a revoked key stops signing with them, whether or not its store can be read.
      onChange: async () => {
        await rules.refresh()
        await keyRing.refresh().catch((error: unknown) => log.warn('signing keys cannot be read', { error }))
      },
      explain: createExplain({ ...verifier, createJudge: verifier.createTrialJudge, now }),
      metrics,
    }),
    '/docs': { name: 'docs', methods: { GET: createDocsHandler() } },
    '/healthz': { name: 'healthz', methods: { GET: healthHandler } },
    '/readyz': {
      name: 'readyz',
      methods: { GET: createReadyHandler({ checks, isStopping: deps.isStopping }, metrics) },
    },
    '/metrics': createMetricsRoute(
      { mode: config.metrics, guard: adminGuard, trustedProxies: config.trustedProxies },
      metrics,
    ),
  }
}

function toSeconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000
}
