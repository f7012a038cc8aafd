// GET /.well-known/oauth-authorization-server: the metadata of the issuer (RFC 8414).

import { type Handler, JSON_TYPE, type RequestContext } from '../http/context.ts'
import { paths } from '../http/paths.ts'
import { NOT_FOUND } from '../http/problem.ts'
import { proofAlgorithms } from '../verify/dpop/proof.ts'
import { clientAuthMethods } from './client.ts'
import { assertionAlgorithms } from './client-keys.ts'

/** Creates the handler. Its answer is built once, here. */
export function createMetadataHandler(issuer: string): Handler {
  const body = JSON.stringify(describeServer(issuer))
  const headers = { ...JSON_TYPE, 'cache-control': 'public, max-age=300' }
  return (context) => context.answer(200, body, headers)
}

/**
 * Refuses with 404 every path but two: the well-known path followed by the path of the issuer's URL (RFC 8414 section 3.1),
 * and the well-known path alone, because a proxy may have removed the issuer's path.
 */
export function createMetadataGuard(issuer: string): (context: RequestContext) => Response | undefined {
  const { pathname } = new URL(issuer)
  const known: readonly string[] = [
    paths.oauthMetadata,
    paths.oauthMetadata + (pathname === '/' ? '' : pathname),
  ]
  return (context) =>
    known.includes(new URL(context.request.url).pathname) ? undefined : context.refuse(NOT_FOUND)
}

function describeServer(issuer: string): object {
  return {
    issuer,
    token_endpoint: issuer + paths.oauthToken,
    revocation_endpoint: issuer + paths.oauthRevoke,
    introspection_endpoint: issuer + paths.oauthIntrospect,
    jwks_uri: issuer + paths.keySet,
    grant_types_supported: ['client_credentials'],
    response_types_supported: [],
    token_endpoint_auth_methods_supported: clientAuthMethods,
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    revocation_endpoint_auth_methods_supported: clientAuthMethods,
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    introspection_endpoint_auth_methods_supported: clientAuthMethods,
    introspection_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    dpop_signing_alg_values_supported: proofAlgorithms,
    service_documentation: issuer + paths.docs,
  }
}
