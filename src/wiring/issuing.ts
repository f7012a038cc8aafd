// The routes that issue tokens.

import type { Quota } from '../counters/counters.ts'
import type { Route } from '../http/context.ts'
import { createRateLimiter, type RateLimiter } from '../http/limits.ts'
import { paths } from '../http/paths.ts'
import { createAdmitCredential } from '../issue/admission.ts'
import { createAifabrixRoute } from '../issue/aifabrix.ts'
import { createAuthenticate, createNotingAuthenticate } from '../issue/authenticate.ts'
import { createReportBrowser, createReportPreflight, issuingEndpoints } from '../issue/browser.ts'
import { createClaimRoute } from '../issue/claim.ts'
import { createSignGrant, type IssueDeps } from '../issue/issue.ts'
import { createCredentialLimit, createRefuseCaller } from '../issue/limits.ts'
import { createMultisetRoute } from '../issue/multiset.ts'
import { createSignCurrent } from '../issue/sign-current.ts'
import { createExamineToken } from '../oauth/examine.ts'
import { createRevokeToken } from '../oauth/revoke.ts'
import { createOAuthRoutes } from '../oauth/routes.ts'
import type { ServiceVerifier } from '../service/verifier.ts'
import type { AppDeps } from './deps.ts'

/** The routes that issue tokens. `oauth` has one route for each path. */
export interface IssuingRoutes {
  readonly claim: Route
  readonly multiset: Route
  readonly aifabrix: Route
  readonly oauth: Readonly<Record<string, Route>>
}

/** Most audit entries about secrets in browsers in one window. The metric counts every such request. */
const BROWSER_AUDIT_QUOTA: Quota = { requests: 30, seconds: 60 }

/** Builds the routes that issue tokens. They share rate limits, authentication and signing. Does no I/O. */
export function createIssuingRoutes(deps: AppDeps, verifier: ServiceVerifier): IssuingRoutes {
  const { config, storage, rules, counters, log, metrics, now } = deps
  for (const endpoint of issuingEndpoints) metrics.openEndpoint(endpoint)
  // Separate counters, so that requests from many addresses cannot evict the counts of credentials.
  const openLimiter = (name: string): RateLimiter | null =>
    config.rateLimit === null ? null : createRateLimiter(counters.openLimits(name), config.rateLimit)
  const limit = createCredentialLimit(openLimiter('credentials'))
  const refuseCaller = createRefuseCaller(openLimiter('wrong-secrets'))
  const authenticate = createAuthenticate(storage, deps.hashSecret)
  const authenticateAndNote = createNotingAuthenticate(authenticate, deps.uses.note)
  const reportBrowser = createReportBrowser({
    storage,
    authenticate,
    log,
    limiter: createRateLimiter(counters.openLimits('browser-audit'), BROWSER_AUDIT_QUOTA),
    count: metrics.countSecretInBrowser,
  })
  const reportPreflight = createReportPreflight({ log, count: metrics.countSecretInBrowser })
  const issuing: IssueDeps = {
    signGrant: createSignGrant({ issuer: config.issuer, audience: config.audience }, () => deps.keyRing.sign),
    signCurrent: createSignCurrent({
      storage,
      readStanding: rules.readStanding,
      refreshRules: rules.refresh,
      now,
    }),
    countIssued: metrics.countIssued,
  }
  const { tokenTtl, maxTtl } = config
  const admit = createAdmitCredential({ authenticate: authenticateAndNote, limit, refuseCaller })
  return {
    claim: createClaimRoute({
      tokenTtl,
      maxTtl,
      querySecrets: config.querySecrets,
      admit,
      reportBrowser,
      reportPreflight,
      issuing,
    }),
    multiset: createMultisetRoute({
      maxTtl,
      admit,
      reportBrowser,
      reportPreflight,
      issuing,
      isPrototypeOriginListed: storage.isPrototypeOriginListedStale,
      now,
      log,
    }),
    aifabrix: createAifabrixRoute({ tokenTtl, maxTtl, admit, reportBrowser, reportPreflight, issuing }),
    oauth: createOAuthRoutes({
      issuer: config.issuer,
      audience: config.audience,
      clockTolerance: config.clockTolerance,
      tokenTtl,
      maxTtl,
      storage,
      reportBrowser,
      reportPreflight,
      authenticate: authenticateAndNote,
      refuseCaller,
      limit,
      assertionLimit: createCredentialLimit(openLimiter('assertions')),
      noteUse: deps.uses.note,
      issuing,
      examineToken: createExamineToken(verifier),
      revokeToken: createRevokeToken({
        storage,
        refresh: rules.refresh,
        log,
        countFull: metrics.countRevocationsFull,
      }),
      proveKey: verifier.createEndpointProof(config.issuer + paths.oauthToken),
    }),
  }
}
