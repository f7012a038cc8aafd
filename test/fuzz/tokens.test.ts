// Sends texts that are almost tokens to verifiers with pinned keys: they must accept only the exact bytes of the valid token.
// FUZZ_SEED repeats a run, see fuzz.ts.

import { createHmac, createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ClaimError, claimErrorCodes } from '../../src/claims/errors.ts'
import { createVerifier } from '../../src/verify/verifier.ts'
import { base64url, partsOf } from '../support/forge.ts'
import { ALGS, bearerOf, createMint, type Mint, RULES, requestWith, SITE } from '../support/mint.ts'
import type { Json } from '../support/wire.ts'
import { byte, damaged, fuzz } from './fuzz.ts'

type Verifier = ReturnType<typeof createVerifier>
/** Turns a valid token into another text. */
type Change = (token: string) => string

const value = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    0,
    -1,
    1e308,
    '',
    'x',
    [],
    {},
    [null],
    { jkt: 1 },
    '\0',
    '\ud800',
    '__proto__',
  ),
  fc.constantFrom<Json>(
    'none',
    'None',
    'HS256',
    'ES256',
    'ES384',
    'EdDSA',
    'Ed25519',
    'RS256',
    'at+jwt',
    'JWT',
    'dpop+jwt',
  ),
  fc.constantFrom<Json>(
    'https://evil.example/keys',
    '../../keys/x',
    'file:///dev/zero',
    "' OR 1=1 --",
    'x'.repeat(3000),
  ),
  fc.jsonValue({ maxDepth: 3 }),
)
const headerName = fc.constantFrom(
  ...[
    'alg',
    'kid',
    'typ',
    'crit',
    'b64',
    'jku',
    'jwk',
    'x5u',
    'x5c',
    'cty',
    'enc',
    'zip',
    '__proto__',
    'constructor',
    'exp',
  ],
)
const claimName = fc.constantFrom(
  ...[
    'iss',
    'aud',
    'sub',
    'client_id',
    'jti',
    'iat',
    'exp',
    'nbf',
    'origin',
    'ip',
    'cnf',
    'scope',
    '__proto__',
    'x',
  ],
)
const separator = fc.constantFrom('.', '..', '=.', ' .', '\n.', '%2e', '\0', ',', '')

/** Signatures that an attacker has or can make: the one of the valid token, and others that need no secret of the issuer. */
const signers: readonly ((input: string, mint: Mint, attacker: Mint, old: string) => string)[] = [
  (_input, _mint, _attacker, old) => old,
  () => '',
  () => base64url(Buffer.alloc(64)),
  () => base64url(Buffer.alloc(32)),
  (input, _mint, attacker) => base64url(attacker.sign(input)),
  (input, mint) => base64url(createHmac('sha256', knownOf(mint)).update(input).digest()),
  (input) => base64url(createHmac('sha256', '').update(input).digest()),
]

/** What an attacker knows of a key: the public key as PEM, or the kid of an HS256 key. */
function knownOf(mint: Mint): string | Buffer {
  return mint.alg === 'HS256' ? mint.kid : createPublicKey(mint.key).export({ type: 'spki', format: 'pem' })
}

function changeOf(mint: Mint, attacker: Mint): fc.Arbitrary<Change> {
  const good = mint.token()
  const members = (name: fc.Arbitrary<string>) =>
    fc.dictionary(name, value, { minKeys: 1, maxKeys: 3, noNullPrototype: true })
  const rewritten = fc
    .record({
      header: fc.oneof(fc.constant({}), members(headerName)),
      claims: fc.oneof(fc.constant({}), members(claimName)),
      bringsKey: fc.boolean(),
      isTwice: fc.nat(5).map((kind) => kind === 0),
      signer: fc.nat(signers.length - 1),
    })
    .map(({ header, claims, bringsKey, isTwice, signer }): Change => {
      return (token) => {
        const [oldHeader, oldPayload, oldSignature] = partsOf(token)
        const jwk = bringsKey ? { jwk: attacker.jwk } : {}
        const head = toMembers(oldHeader, { ...jwk, ...header }, isTwice)
        const input = `${head}.${toMembers(oldPayload, claims, isTwice)}`
        return `${input}.${signers[signer]?.(input, mint, attacker, oldSignature)}`
      }
    })
  const text = fc.oneof(
    damaged(fc.constant(good), fc.oneof(byte, separator)).map(
      (changed): Change =>
        (token) =>
          changed === good ? `${token}x` : changed,
    ),
    fc.array(separator, { minLength: 1, maxLength: 4000 }).map(
      (all): Change =>
        (token) =>
          token + all.join(''),
    ),
    fc.array(fc.constantFrom(0, 1, 2), { maxLength: 5 }).map(
      (order): Change =>
        (token) =>
          order.map((at) => partsOf(token)[at] ?? '').join('.'),
    ),
    fc
      .tuple(fc.nat(2), fc.constantFrom('=', '==', 'A', '%3D', ' ', '\t', '\n', '+', '/'))
      .map(([at, more]): Change => {
        return (token) =>
          partsOf(token)
            .map((part, index) => (index === at ? part + more : part))
            .join('.')
      }),
    fc.tuple(fc.nat(2), fc.constantFrom(4000, 20_000, 200_000)).map(([at, length]): Change => {
      return (token) =>
        partsOf(token)
          .map((part, index) => (index === at ? part + 'A'.repeat(length) : part))
          .join('.')
    }),
    fc.tuple(fc.nat(2), fc.string({ unit: 'binary' })).map(([at, text]): Change => {
      return (token) =>
        partsOf(token)
          .map((part, index) => (index === at ? base64url(text) : part))
          .join('.')
    }),
    fc.constantFrom(50, 700, 1400).map((depth): Change => {
      const deep = base64url(`{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`)
      return (token) => `${deep}.${deep}.${partsOf(token)[2]}`
    }),
    fc.constantFrom<Change>(
      (token) => Buffer.from(token, 'utf16le').toString('latin1'),
      (token) => `"${token}"`,
      (token) => token.toLowerCase(),
      (token) => `${token} ${token}`,
      (token) =>
        JSON.stringify({
          protected: partsOf(token)[0],
          payload: partsOf(token)[1],
          signature: partsOf(token)[2],
        }),
      () => '',
    ),
    fc.string({ unit: 'binary', maxLength: 200 }).map(
      (text): Change =>
        () =>
          text,
    ),
  )
  return fc.oneof(rewritten, text)
}

/** A part of a token with these members added or replaced, or, with `isTwice`, repeated. Unchanged without members. */
function toMembers(part: string, members: Json, isTwice: boolean): string {
  if (Object.keys(members).length === 0) return part
  const held = JSON.parse(Buffer.from(part, 'base64url').toString())
  const text = isTwice
    ? `${JSON.stringify(held).slice(0, -1)},${JSON.stringify(members).slice(1)}`
    : JSON.stringify({ ...held, ...members })
  return base64url(text)
}

async function judge(verifier: Verifier, request: Parameters<Verifier['verify']>[0]): Promise<string> {
  try {
    await verifier.verify(request)
    return 'allowed'
  } catch (error) {
    expect(error).toBeInstanceOf(ClaimError)
    const { code, status, message, challenge = '' } = error as ClaimError
    expect(claimErrorCodes).toContain(code)
    expect([400, 401]).toContain(status)
    return `${code} ${message} ${challenge}`
  }
}

describe.each(ALGS)('%s', (alg) => {
  const mint = createMint(alg)
  const attacker = createMint(alg, mint.kid)
  const keys = { jwks: { keys: [mint.jwk] } }
  const verifiers = [
    createVerifier({ ...RULES, ...keys, tokenSources: ['authorization', 'query'] }),
    createVerifier({ ...RULES, ...keys, tokenSources: ['authorization', 'query'], cache: false }),
  ]

  test('a text with other bytes than the token is refused, in time, and not repeated in the error', {
    timeout: 60_000,
  }, async () => {
    const good = mint.token()
    const texts = changeOf(mint, attacker)
      .map((change) => change(good))
      .filter((text) => text !== good)
    await fuzz(`${alg} tokens`, 2000, texts, async (text, watch) => {
      const requests = [
        bearerOf(text),
        requestWith({ origin: SITE }, `/?token=${encodeURIComponent(text.toWellFormed())}`),
      ]
      for (const verifier of verifiers) {
        for (const request of requests) {
          const verdict = await watch.time(() => judge(verifier, request))
          expect(verdict).not.toBe('allowed')
          if (text.length > 12) expect(verdict).not.toContain(text)
        }
      }
    })
    for (const verifier of verifiers) expect(await judge(verifier, bearerOf(good))).toBe('allowed')
  })
})
