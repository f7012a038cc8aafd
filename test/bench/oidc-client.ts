// The only client of node-oidc-provider, for the server and for the load generator.

export const OIDC_CLIENT_ID = 'benchmark'
export const OIDC_CLIENT_SECRET = 'a-secret-of-this-benchmark-alone-0123456789'
export const OIDC_RESOURCE = 'https://api.example.com'
