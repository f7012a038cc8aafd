// Proofs that other software made: the examples of RFC 9449, and proofs of oauth4webapi.

import * as oauth from 'oauth4webapi'
import { describe, expect, test } from 'vitest'
import { createProofVerifier } from '../../src/verify/dpop/verify-proof.ts'
import { loadVerifier, loadWebVerifier } from '../../src/verify/runtime/load-key.ts'
import { hashText, hashWebText } from '../../src/verify/runtime/sha256.ts'

/** The thumbprint of the key of the examples (RFC 9449 section 6.1). */
const JKT = '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
const HEADER =
  'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0Rs' +
  'cEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19'

/** The proof for a token request (RFC 9449 section 4.1). */
const tokenExample = {
  text:
    `${HEADER}.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2` +
    'VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg',
  jti: '-BwC3ESc6acc2lTc',
  iat: 1562262616,
  method: 'POST',
  htu: 'https://server.example.com/token',
  accessToken: undefined,
}

/** The proof for a request with an access token (RFC 9449 section 7.1). */
const resourceExample = {
  text:
    `${HEADER}.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90` +
    'ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.' +
    '2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA',
  jti: 'e1j3V_bKic8-LAEB',
  iat: 1562262618,
  method: 'GET',
  htu: 'https://resource.example.org/protectedresource',
  accessToken: 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU',
}

describe.each([
  ['node:crypto', { loadVerifier, hashText }],
  ['Web Crypto', { loadVerifier: loadWebVerifier, hashText: hashWebText }],
])('%s', (_engine, engine) => {
  const judge = createProofVerifier(engine)

  describe.each([
    ['the proof of RFC 9449 section 4.1', tokenExample],
    ['the proof of RFC 9449 section 7.1', resourceExample],
  ])('%s', (_, { text, jti, iat, method, htu, accessToken }) => {
    const expected = { method, htu, accessToken, jkt: JKT }
    test.each([-60, -0.5, 0, 60])('is valid %d seconds after its iat', async (offset) => {
      const judged = await judge(text, { ...expected, now: iat + offset })
      expect(judged).toMatchObject({ ok: true, value: { jkt: JKT, jti, iat } })
    })
    test.each([-60.001, 60.001, 86_400, Date.now() / 1000 - iat])(
      'is invalid %d seconds after its iat',
      async (offset) => {
        expect(await judge(text, { ...expected, now: iat + offset })).toMatchObject({ ok: false })
      },
    )
  })

  test.each(['ES256', 'Ed25519'])('proofs of oauth4webapi: %s', async (alg) => {
    const as: oauth.AuthorizationServer = {
      issuer: 'https://auth.example.com',
      token_endpoint: 'https://auth.example.com/oauth/token',
    }
    const client: oauth.Client = { client_id: 'client' }
    const keys = await oauth.generateKeyPair(alg)
    const DPoP = oauth.DPoP(client, keys)
    const jkt = await DPoP.calculateThumbprint()
    const proofs: string[] = []
    const options = {
      DPoP,
      [oauth.customFetch]: async (_url: string, { headers }: { headers: Record<string, string> }) => {
        proofs.push(headers.dpop ?? '')
        return new Response(null, { status: 204 })
      },
    }
    const now = Date.now() / 1000
    await oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretPost('s'), {}, options)
    const url = new URL('https://API.example.com:443/a/./b%41/?query=1#fragment')
    await oauth.protectedResourceRequest('the-token', 'PUT', url, undefined, null, options)

    const [forToken = '', forApi = ''] = proofs
    const atToken = { method: 'POST', htu: as.token_endpoint ?? '', accessToken: undefined, jkt, now }
    const htu = 'https://api.example.com/a/bA/'
    const atApi = { method: 'PUT', htu, accessToken: 'the-token', jkt, now }
    expect(await judge(forToken, atToken)).toMatchObject({ ok: true, value: { jkt } })
    expect(await judge(forApi, atApi)).toMatchObject({ ok: true, value: { jkt } })
    expect(await judge(forApi, atToken)).toMatchObject({ ok: false })
    expect(await judge(forApi, { ...atApi, accessToken: 'the-tokem' })).toMatchObject({ ok: false })
  })
})
