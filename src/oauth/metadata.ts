// GET /.well-known/oauth-authorization-server: what clients need to know of this issuer (RFC 8414). The same for all.

import { type Handler, JSON_TYPE, type RequestContext } from '../http/context.ts'
import { NOT_FOUND } from '../http/problem.ts'
import { paths } from './admit.ts'
import { clientAuthMethods } from './client.ts'
import { assertionAlgorithms } from './client-keys.ts'

/** Where the metadata is, for an issuer without a path. */
export const METADATA_PATH = '/.well-known/oauth-authorization-server'

/** What the metadata tells beside what is fixed here. */
export interface MetadataDeps {
  readonly issuer: string
  /** How proofs may be signed. */
  readonly proofAlgorithms: readonly string[]
}

/** The handler of the metadata. */
export function createMetadataHandler(deps: MetadataDeps): Handler {
  const body = JSON.stringify(describeServer(deps))
  const headers = { ...JSON_TYPE, 'cache-control': 'public, max-age=300' }
  return (context) => context.answer(200, body, headers)
}

/**
 * Refuses paths below the metadata's that are not the issuer's. The path of an issuer's URL comes after the well-known
 * one (section 3.1); a proxy that takes it off leaves the bare path, which is answered too.
 */
export function createMetadataGuard(issuer: string): (context: RequestContext) => Response | undefined {
  const { pathname } = new URL(issuer)
  const known = [METADATA_PATH, METADATA_PATH + (pathname === '/' ? '' : pathname)]
  return (context) =>
    known.includes(new URL(context.request.url).pathname) ? undefined : context.refuse(NOT_FOUND)
}

function describeServer({ issuer, proofAlgorithms }: MetadataDeps): object {
  return {
    issuer,
    token_endpoint: issuer + paths.token,
    revocation_endpoint: issuer + paths.revoke,
    introspection_endpoint: issuer + paths.introspect,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    grant_types_supported: ['client_credentials'],
    response_types_supported: [],
    token_endpoint_auth_methods_supported: clientAuthMethods,
    token_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    revocation_endpoint_auth_methods_supported: clientAuthMethods,
    revocation_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    introspection_endpoint_auth_methods_supported: clientAuthMethods,
    introspection_endpoint_auth_signing_alg_values_supported: assertionAlgorithms,
    dpop_signing_alg_values_supported: proofAlgorithms,
    service_documentation: `${issuer}/docs`,
  }
}
