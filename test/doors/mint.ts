// An issuer for the cases: its keys as options of a verifier, and the tokens of setups.ts, signed with jose.

import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { AUDIENCE, ISSUER, SITE, SUBJECT, type TokenName, type TokenRecipe, tokens } from './cases.ts'

/** The option of a verifier that gives its keys. It is plain JSON, so the process and the Worker under test can get it. */
export type KeyOption =
  | { readonly jwks: { readonly keys: readonly JWK[] } }
  | { readonly jwksUri: string }
  | { readonly secret: string }

export interface Issuer {
  readonly keys: KeyOption
  /** The private key; absent for a shared secret. */
  readonly privateJwk: JWK | undefined
  /** Signs one token for each recipe in setups.ts. */
  mintAll(): Promise<Record<TokenName, string>>
  mint(recipe?: TokenRecipe): Promise<string>
}

type Key = Parameters<SignJWT['sign']>[0]

/** Creates an issuer that signs with ES256 (`jwks`) or HS256 (`secret`). `claims` replace claims of all its tokens. */
export async function createIssuer(
  kind: 'jwks' | 'secret',
  claims: TokenRecipe['claims'] = {},
): Promise<Issuer> {
  const [alg, own, stranger] = kind === 'jwks' ? await createPairs() : createSecrets()
  const mint = (recipe: TokenRecipe = {}) =>
    mintToken(alg, recipe.isForged ? stranger.key : own.key, {
      ...recipe,
      claims: { ...claims, ...recipe.claims },
    })
  return {
    keys: own.option,
    privateJwk: own.privateJwk,
    mint,
    async mintAll() {
      const entries = Object.entries(tokens).map(async ([name, recipe]) => [name, await mint(recipe)])
      return Object.fromEntries(await Promise.all(entries))
    },
  }
}

interface Pair {
  readonly key: Key
  readonly option: KeyOption
  readonly privateJwk?: JWK
}

async function createPairs(): Promise<[alg: string, own: Pair, stranger: Pair]> {
  const create = async (): Promise<Pair> => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    return {
      key: privateKey,
      privateJwk: { ...(await exportJWK(privateKey)), kid: 'issuer' },
      option: { jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'issuer' }] } },
    }
  }
  return ['ES256', await create(), await create()]
}

function createSecrets(): [alg: string, own: Pair, stranger: Pair] {
  const create = (): Pair => {
    const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
    return { key: new TextEncoder().encode(secret), option: { secret } }
  }
  return ['HS256', create(), create()]
}

async function mintToken(alg: string, key: Key, recipe: TokenRecipe): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const expiresAt = now + (recipe.expiresIn ?? 600)
  const claims = {
    ...{ iss: ISSUER, aud: AUDIENCE, sub: SUBJECT, client_id: 'credential', jti: crypto.randomUUID() },
    ...{ iat: expiresAt - 600, exp: expiresAt, origin: SITE, scope: 'read' },
    ...recipe.claims,
  }
  const header = { alg, kid: 'issuer', typ: 'at+jwt', ...recipe.header }
  const token = await new SignJWT(claims).setProtectedHeader(header).sign(key)
  return recipe.mangle === undefined ? token : mangleToken(token, recipe.mangle)
}

function mangleToken(token: string, how: NonNullable<TokenRecipe['mangle']>): string {
  const [header = '', payload = '', signature = ''] = token.split('.')
  switch (how) {
    case 'truncate':
      return token.slice(0, -4)
    case 'pad':
      return `${token}=`
    case 'unsign':
      return `${encode({ ...decode(header), alg: 'none' })}.${payload}.`
    case 'swap':
      return `${header}.${encode({ ...decode(payload), sub: 'acct_somebody_else' })}.${signature}`
    case 'flip': {
      const bytes = Buffer.from(signature, 'base64url')
      bytes[9] = (bytes[9] as number) ^ 1
      return `${header}.${payload}.${bytes.toString('base64url')}`
    }
  }
}

const decode = (part: string): object => JSON.parse(Buffer.from(part, 'base64url').toString())
const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
