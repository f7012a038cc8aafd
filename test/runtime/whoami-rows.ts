// The rules of token verification, one row each: a request to GET /auth/whoami and the expected answer.

import { generateKeyPair, SignJWT } from 'jose'
import type { RuntimeRow } from '../support/rows.ts'
import type { WireRequest } from '../support/wire.ts'
import { claimToken, payloadOf, SITE, type World } from '../support/world.ts'

export interface WhoamiRow extends RuntimeRow {
  /** Parameters of POST /auth/claim in addition to the origin SITE. */
  readonly claim?: object
  /** Makes the request from the claimed token. */
  readonly request: (token: string, world: World) => WireRequest | Promise<WireRequest>
  /** 200, or the status, the error code and a part of the header WWW-Authenticate. */
  readonly expect: 200 | readonly [status: number, code: string, challenge?: string]
}

const ask = (headers: WireRequest['headers'], path = '/auth/whoami'): WireRequest => ({
  method: 'GET',
  path,
  headers: headers ?? {},
})

const asBearer =
  (change: (token: string, world: World) => string | Promise<string>) =>
  async (token: string, world: World): Promise<WireRequest> =>
    ask({ origin: SITE, authorization: `Bearer ${await change(token, world)}` })

const invalid = [401, 'invalid_token', 'Bearer error="invalid_token"'] as const
const jkt = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'

export const extractRows: readonly WhoamiRow[] = [
  {
    rule: 'Bearer',
    everywhere: true,
    request: (t) => ask({ origin: SITE, authorization: `Bearer ${t}` }),
    expect: 200,
  },
  {
    rule: 'scheme in upper case, two spaces',
    request: (t) => ask({ origin: SITE, authorization: `BEARER  ${t}` }),
    expect: 200,
  },
  {
    rule: 'x-client-token',
    everywhere: true,
    request: (t) => ask({ origin: SITE, 'x-client-token': t }),
    expect: 200,
  },
  {
    rule: 'the query string',
    everywhere: true,
    request: (t) => ask({ origin: SITE }, `/auth/whoami?token=${t}`),
    expect: 200,
  },
  {
    rule: 'the same token in two headers',
    request: (t) => ask({ origin: SITE, authorization: `Bearer ${t}`, 'x-client-token': t }),
    expect: 200,
  },
  {
    rule: 'a Basic header is ignored',
    request: (t) => ask({ origin: SITE, authorization: 'Basic Zm9vOmJhcg==', 'x-client-token': t }),
    expect: 200,
  },
  {
    rule: 'no token',
    everywhere: true,
    request: () => ask({ origin: SITE }),
    expect: [401, 'missing_token', 'Bearer, DPoP'],
  },
  {
    rule: 'different tokens in two headers',
    request: (t) => ask({ origin: SITE, authorization: `Bearer ${t}`, 'x-client-token': `${t}x` }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'two Authorization headers',
    everywhere: true,
    request: (t) => ask({ origin: SITE, authorization: [`Bearer ${t}`, `Bearer ${t}`] }),
    expect: [400, 'invalid_request'],
  },
  {
    rule: 'a token in Sec-WebSocket-Protocol is ignored',
    everywhere: true,
    request: (t) => ask({ origin: SITE, 'sec-websocket-protocol': `claimgate, ${t}` }),
    expect: [401, 'missing_token'],
  },
  {
    rule: 'Bearer without a token',
    request: () => ask({ origin: SITE, authorization: 'Bearer' }),
    expect: invalid,
  },
  {
    rule: 'an account token as Bearer',
    request: (_, w) => ask({ origin: SITE, authorization: `Bearer ${w.token}` }),
    expect: invalid,
  },
]

/** A request with a valid token whose parts `change` joins in another way, without a new signature. */
const withParts = (change: (header: string, payload: string, signature: string) => string) =>
  asBearer((token) => change(...(token.split('.') as [string, string, string])))

const json = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const headerOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())

const withHeader = (change: Record<string, unknown>) =>
  withParts((h, p, s) => `${json({ ...headerOf(h), ...change })}.${p}.${s}`)

/**
 * Tokens that were changed after signing, and one that another key signed. Most changes also break the signature, so these
 * rows do not show which check refuses the token: test/verify/threats-signature.test.ts signs such tokens again.
 */
export const formatRows: readonly WhoamiRow[] = [
  { rule: 'garbage', everywhere: true, request: asBearer(() => 'garbage'), expect: invalid },
  { rule: 'two parts', request: withParts((h, p) => `${h}.${p}`), expect: invalid },
  { rule: 'four parts', request: withParts((h, p, s) => `${h}.${p}.${s}.${s}`), expect: invalid },
  { rule: 'empty signature', request: withParts((h, p) => `${h}.${p}.`), expect: invalid },
  { rule: 'padding', request: withParts((h, p, s) => `${h}.${p}.${s}==`), expect: invalid },
  {
    rule: 'a signature whose last character has unused bits set',
    everywhere: true,
    request: withParts(
      (h, p, s) => `${h}.${p}.${s.slice(0, -1)}${String.fromCharCode(s.charCodeAt(s.length - 1) + 1)}`,
    ),
    expect: invalid,
  },
  {
    rule: 'over 4096 characters',
    request: withParts((h, p, s) => `${h}.${p}${'A'.repeat(4096)}.${s}`),
    expect: invalid,
  },
  {
    rule: 'alg none',
    request: withParts((h, p) => `${json({ ...headerOf(h), alg: 'none' })}.${p}.AAAA`),
    expect: invalid,
  },
  { rule: 'alg in another case', request: withHeader({ alg: 'es256' }), expect: invalid },
  { rule: 'alg of another key type', request: withHeader({ alg: 'HS256' }), expect: invalid },
  { rule: 'typ JWT', request: withHeader({ typ: 'JWT' }), expect: invalid },
  { rule: 'a header with crit', request: withHeader({ crit: ['exp'] }), expect: invalid },
  { rule: 'a header with b64', request: withHeader({ b64: true }), expect: invalid },
  { rule: 'unknown kid', request: withHeader({ kid: 'nobody' }), expect: invalid },
  { rule: 'kid __proto__', request: withHeader({ kid: '__proto__' }), expect: invalid },
  { rule: 'kid that is a number', request: withHeader({ kid: 1 }), expect: invalid },
  {
    rule: 'one bit of the signature flipped',
    everywhere: true,
    request: withParts((h, p, s) => `${h}.${p}.${s.startsWith('A') ? 'B' : 'A'}${s.slice(1)}`),
    expect: invalid,
  },
  {
    rule: 'a claim changed',
    everywhere: true,
    request: withParts(
      (h, p, s) => `${h}.${json({ ...payloadOf(`${h}.${p}.${s}`), sub: 'acct_other' })}.${s}`,
    ),
    expect: invalid,
  },
  {
    rule: 'signed by a key in its own header',
    everywhere: true,
    request: asBearer(async (token) => {
      const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
      const jwk = await crypto.subtle.exportKey('jwk', publicKey)
      return new SignJWT(payloadOf(token))
        .setProtectedHeader({
          ...headerOf(token),
          alg: 'ES256',
          jwk: { kty: 'EC', crv: 'P-256', x: jwk.x as string, y: jwk.y as string },
        })
        .sign(privateKey)
    }),
    expect: invalid,
  },
]

export const boundRows: readonly WhoamiRow[] = [
  {
    rule: 'no Origin',
    everywhere: true,
    request: (t) => ask({ authorization: `Bearer ${t}` }),
    expect: [401, 'origin_required', 'Bearer error="invalid_token"'],
  },
  {
    rule: 'another origin',
    everywhere: true,
    request: (t) => ask({ origin: 'https://evil.example', authorization: `Bearer ${t}` }),
    expect: [401, 'origin_mismatch', 'Bearer error="invalid_token"'],
  },
  ...[
    'null',
    '',
    'https://WWW.example.com',
    `${SITE}/`,
    `${SITE}:443`,
    'http://www.example.com',
    `${SITE}.evil.example`,
    `${SITE}, ${SITE}`,
    'https://www.example.co',
    'https://xwww.example.com',
  ].map(
    (origin): WhoamiRow => ({
      rule: `Origin: ${origin}`,
      hasEmptyHeader: origin === '',
      everywhere: origin === '' || origin.includes(','),
      request: (t) => ask({ origin, authorization: `Bearer ${t}` }),
      expect: [401, 'origin_mismatch'],
    }),
  ),
  {
    rule: 'Sec-Fetch-Site: cross-site does not count as an origin',
    everywhere: true,
    request: (t) => ask({ 'sec-fetch-site': 'cross-site', authorization: `Bearer ${t}` }),
    expect: [401, 'origin_required'],
  },
  {
    rule: 'Sec-Fetch-Site: same-origin, and the token is bound to another origin',
    request: (t) => ask({ 'sec-fetch-site': 'same-origin', authorization: `Bearer ${t}` }),
    expect: [401, 'origin_mismatch'],
  },
  {
    rule: "bound to an address other than the client's",
    everywhere: true,
    claim: { ip: '192.0.2.1' },
    request: (t) => ask({ origin: SITE, authorization: `Bearer ${t}` }),
    expect: [401, 'ip_mismatch', 'Bearer error="invalid_token"'],
  },
  {
    rule: 'X-Forwarded-For of an untrusted peer is ignored',
    everywhere: true,
    claim: { ip: '192.0.2.1' },
    request: (t) => ask({ origin: SITE, authorization: `Bearer ${t}`, 'x-forwarded-for': '192.0.2.1' }),
    expect: [401, 'ip_mismatch'],
  },
  {
    rule: 'bound to the loopback address',
    everywhere: true,
    claim: { ip: ['127.0.0.0/8', '::1'] },
    request: (t) => ask({ origin: SITE, authorization: `Bearer ${t}` }),
    expect: 200,
  },
  {
    rule: 'the origin is checked before the address',
    claim: { ip: '192.0.2.1' },
    request: (t) => ask({ authorization: `Bearer ${t}` }),
    expect: [401, 'origin_required'],
  },
  {
    rule: 'a key-bound token, sent as Bearer',
    everywhere: true,
    claim: { jkt },
    request: (t) => ask({ origin: SITE, authorization: `Bearer ${t}` }),
    expect: [401, 'proof_required', 'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA Ed25519"'],
  },
  {
    rule: 'a key-bound token in the query string',
    claim: { jkt },
    request: (t) => ask({ origin: SITE }, `/auth/whoami?token=${t}`),
    expect: [401, 'proof_required'],
  },
  {
    rule: 'a key-bound token, sent as DPoP without a proof',
    everywhere: true,
    claim: { jkt },
    request: (t) => ask({ origin: SITE, authorization: `DPoP ${t}` }),
    expect: [401, 'proof_required', 'DPoP error="invalid_dpop_proof"'],
  },
  {
    rule: 'key-bound: the origin is checked before the key, and the challenge is DPoP',
    claim: { jkt },
    request: (t) => ask({ origin: 'https://evil.example', authorization: `Bearer ${t}` }),
    expect: [401, 'origin_mismatch', 'DPoP error="invalid_token"'],
  },
  {
    rule: 'a token without cnf, sent as DPoP',
    request: (t) => ask({ origin: SITE, authorization: `DPoP ${t}` }),
    expect: [401, 'invalid_token', 'DPoP error="invalid_token"'],
  },
]

/** Claims a token with the parameters of the row, and sends the row's request. */
export async function askRow(row: WhoamiRow, world: World): Promise<ReturnType<World['send']>> {
  const token = await claimToken(world, row.claim)
  return world.send(await row.request(token, world))
}
