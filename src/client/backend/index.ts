// The package export "claimgate/backend": gives the pages of a customer's site their tokens. Needs only `fetch` and Web
// Crypto, so it runs on Node, Workers, Deno and Bun.

export { createClaimClient } from './claim-client.ts'
export { ClaimRequestError, type ClaimRequestErrorCode } from './error.ts'
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
