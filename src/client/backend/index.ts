// The door "claimgate/backend": what a customer's server needs to give its pages tokens. Runs wherever fetch does.

export { createClaimClient } from './claim-client.ts'
export type { ClaimRequestError } from './error.ts'
export { loadConfig } from './load-config.ts'
export {
  createNodeClientTokenEndpoint,
  type NodeClientTokenEndpoint,
  type NodeClientTokenEndpointOptions,
  type NodeRequest,
  type NodeResponse,
} from './node-endpoint.ts'
export type * from './types.ts'
export {
  type ClientTokenEndpoint,
  type ClientTokenEndpointOptions,
  createClientTokenEndpoint,
} from './web-endpoint.ts'
