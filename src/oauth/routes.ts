// The OAuth 2.0 endpoints by path. Only the token endpoint is a door to a token, whose refusals are counted as such.

import { NO_STORE, NOWHERE, type Route } from '../http/context.ts'
import { publicCors } from '../http/public-cors.ts'
import { type AdmitDeps, createAdmit, paths } from './admit.ts'
import { type ClientDeps, createAuthenticateClient } from './client.ts'
import type { Examine } from './examine.ts'
import { createIntrospectHandler } from './introspect.ts'
import { createMetadataGuard, createMetadataHandler, METADATA_PATH, type MetadataDeps } from './metadata.ts'
import { formatOAuthProblem } from './problem.ts'
import { createRevokeHandler, type RevokeToken } from './revoke.ts'
import { createTokenHandler, type TokenDeps } from './token.ts'

/** What the endpoints need of the rest of the house. */
export interface OAuthDeps
  extends ClientDeps,
    MetadataDeps,
    Omit<TokenDeps, 'admit'>,
    Omit<AdmitDeps, 'authenticateClient'> {
  readonly issuer: string
  readonly examine: Examine
  readonly revokeToken: RevokeToken
}

/** HTTP/1.0 caches know only `Pragma` (RFC 6749 section 5.1). */
const SHARED = { headers: { ...NO_STORE, pragma: 'no-cache' }, formatProblem: formatOAuthProblem } as const

/** The routes of the OAuth 2.0 endpoints by path pattern. */
export function createOAuthRoutes(deps: OAuthDeps): Readonly<Record<string, Route>> {
  const { issuer, reportBrowser, limit, assertionLimit } = deps
  const authenticateClient = createAuthenticateClient(deps)
  const admit = createAdmit({ issuer, reportBrowser, limit, assertionLimit, authenticateClient })
  return {
    [paths.token]: {
      ...SHARED,
      name: 'oauth',
      isDoor: true,
      methods: { POST: createTokenHandler({ ...deps, admit }) },
    },
    [paths.revoke]: {
      ...SHARED,
      name: 'oauth.revoke',
      methods: { POST: createRevokeHandler({ ...deps, admit }) },
    },
    [paths.introspect]: {
      ...SHARED,
      name: 'oauth.introspect',
      methods: { POST: createIntrospectHandler({ ...deps, admit }) },
    },
    '/oauth/*': { ...SHARED, ...NOWHERE },
    // The bare path included.
    [`${METADATA_PATH}/*`]: {
      name: 'oauth.metadata',
      cors: publicCors,
      guard: createMetadataGuard(issuer),
      methods: { GET: createMetadataHandler(deps) },
    },
  }
}
