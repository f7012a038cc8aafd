// Every path of the service, below the URL of its issuer. Routes, OAuth metadata, the audience of client assertions
// and the URL of DPoP proofs use the same text.

/** Paths by the name of what answers there. Routes may add a pattern (`/*`). */
export const paths = {
  claim: '/auth/claim',
  /** Another path of `claim`, with the same answers. */
  claimAlias: '/api/auth/claim',
  multiset: '/v1/m2m/token',
  /** Another path of `multiset`, with the same answers. */
  multisetAlias: '/m2m/token',
  aifabrix: '/api/v1/auth/token',
  oauthToken: '/oauth/token',
  oauthRevoke: '/oauth/revoke',
  oauthIntrospect: '/oauth/introspect',
  /** RFC 8414 section 3, for an issuer whose URL has no path. */
  oauthMetadata: '/.well-known/oauth-authorization-server',
  whoami: '/auth/whoami',
  forwardAuth: '/auth/verify',
  keySet: '/.well-known/jwks.json',
  revocations: '/.well-known/revocations',
  admin: '/admin',
  /** The browser client as one file. */
  sdk: '/sdk.js',
  docs: '/docs',
  health: '/healthz',
  ready: '/readyz',
  metrics: '/metrics',
} as const
