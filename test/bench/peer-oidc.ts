// node-oidc-provider's client_credentials grant, configured as in its documentation: records in memory, access tokens as
// ES256 JWTs for one resource.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_RESOURCE } from './oidc-client.ts'

const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const jwk = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }
const server = createServer()
server.listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  server.on('request', createProvider(url).callback())
  console.log(JSON.stringify({ msg: 'listening', url }))
})

function createProvider(issuer: string): Provider {
  return new Provider(issuer, {
    jwks: { keys: [jwk] },
    cookies: { keys: ['not used by this grant'] },
    clients: [
      {
        client_id: OIDC_CLIENT_ID,
        client_secret: OIDC_CLIENT_SECRET,
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        // The only key is for ES256. The default, RS256, would need another key.
        id_token_signed_response_alg: 'ES256',
      },
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'read',
          audience: OIDC_RESOURCE,
          accessTokenTTL: 1800,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  })
}
