// The OAuth 2.0 endpoints by path. Only the token endpoint issues tokens, so only its refusals are counted as those of
// an issuing endpoint.

import { NO_STORE, NOWHERE, type Route } from '../http/context.ts'
import { paths } from '../http/paths.ts'
import { publicCors } from '../http/public-cors.ts'
import type { Authenticate } from '../issue/authenticate.ts'
import type { ReportBrowser, ReportPreflight } from '../issue/browser.ts'
import type { IssueDeps } from '../issue/issue.ts'
import type { CredentialLimit, RefuseCaller } from '../issue/limits.ts'
import type { Storage } from '../storage/storage.ts'
import type { ProveTokenRequest } from '../verify/dpop/enforce-key.ts'
import { createAdmitClient } from './admit.ts'
import { createAuthenticateClient } from './client.ts'
import type { ExamineToken } from './examine.ts'
import { createIntrospectHandler } from './introspect.ts'
import { createMetadataGuard, createMetadataHandler } from './metadata.ts'
import { formatOAuthProblem } from './problem.ts'
import { createRevokeHandler, type RevokeToken } from './revoke.ts'
import { createTokenHandler } from './token.ts'

/** Configuration and parts of the OAuth endpoints. */
export interface OAuthDeps {
  readonly issuer: string
  /** Audiences that a token may be for. */
  readonly audience: readonly string[]
  /** Allowed clock skew of client assertions, seconds. */
  readonly clockTolerance: number
  /** Lifetime of a token, seconds. Shorter when the account or the credential allows only less. */
  readonly tokenTtl: number
  /** Longest lifetime of any token, seconds. */
  readonly maxTtl: number
  /** Finds the credential that an assertion names, and records the assertions that were used. */
  readonly storage: Pick<Storage, 'findCredential' | 'useAssertion'>
  /** Checks a client id and secret, and notes that the credential was used. */
  readonly authenticate: Authenticate
  /** Called with the credential that an assertion proved, and the time (epoch milliseconds). */
  readonly noteUse: (credentialId: string, now: number) => void
  readonly refuseCaller: RefuseCaller
  readonly reportBrowser: ReportBrowser
  readonly reportPreflight: ReportPreflight
  /** Limits requests to the token endpoint. */
  readonly limit: CredentialLimit
  /** Limits assertions at the other endpoints. */
  readonly assertionLimit: CredentialLimit
  /** Checks the DPoP proof of a token request. */
  readonly proveKey: ProveTokenRequest
  readonly examineToken: ExamineToken
  readonly revokeToken: RevokeToken
  readonly issuing: IssueDeps
}

/** For every OAuth endpoint. HTTP/1.0 caches know only `Pragma` (RFC 6749 section 5.1). */
const SHARED = { headers: { ...NO_STORE, pragma: 'no-cache' }, formatProblem: formatOAuthProblem } as const

/** The routes of the OAuth 2.0 endpoints by path pattern. */
export function createOAuthRoutes(deps: OAuthDeps): Readonly<Record<string, Route>> {
  const { issuer, storage, reportBrowser, limit, assertionLimit, examineToken } = deps
  const authenticateClient = createAuthenticateClient({
    issuer,
    clockTolerance: deps.clockTolerance,
    storage,
    authenticate: deps.authenticate,
    noteUse: deps.noteUse,
    refuseCaller: deps.refuseCaller,
  })
  const admit = createAdmitClient({ issuer, authenticateClient, reportBrowser, limit, assertionLimit })
  return {
    [paths.oauthToken]: {
      ...SHARED,
      name: 'oauth',
      countsRefusals: true,
      onDeniedPreflight: (context) => deps.reportPreflight('oauth', context),
      methods: {
        POST: createTokenHandler({
          audience: deps.audience,
          tokenTtl: deps.tokenTtl,
          maxTtl: deps.maxTtl,
          admit,
          proveKey: deps.proveKey,
          issuing: deps.issuing,
        }),
      },
    },
    [paths.oauthRevoke]: {
      ...SHARED,
      name: 'oauth.revoke',
      methods: { POST: createRevokeHandler({ admit, examineToken, revokeToken: deps.revokeToken }) },
    },
    [paths.oauthIntrospect]: {
      ...SHARED,
      name: 'oauth.introspect',
      methods: { POST: createIntrospectHandler({ admit, examineToken }) },
    },
    '/oauth/*': { ...SHARED, ...NOWHERE },
    // The pattern also matches the path itself.
    [`${paths.oauthMetadata}/*`]: {
      name: 'oauth.metadata',
      cors: publicCors,
      guard: createMetadataGuard(issuer),
      methods: { GET: createMetadataHandler(issuer) },
    },
  }
}
