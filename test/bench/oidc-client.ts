// The OAuth client that the node-oidc-provider server knows and the load generator uses.

export const OIDC_CLIENT_ID = 'benchmark'
export const OIDC_CLIENT_SECRET = 'a-secret-of-this-benchmark-alone-0123456789'
export const OIDC_RESOURCE = 'https://api.example.com'
