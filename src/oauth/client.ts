// Client authentication (RFC 6749 section 2.3, RFC 7523): Basic, a secret in the body, or a signed assertion; exactly one.
// Unknown, wrong, expired, revoked and suspended credentials get the same answer.

import type { CredentialWithAccount } from '../claims/records/account.ts'
import { readBasic } from '../http/authorization.ts'
import type { Problem } from '../http/problem.ts'
import type { Received } from '../issue/admission.ts'
import { type Authenticate, isInForce } from '../issue/authenticate.ts'
import type { CredentialLimit, RefuseCaller } from '../issue/limits.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import { checkAssertionClaims, decodeAssertion } from './assertion.ts'
import { isSignedByClient } from './client-keys.ts'
import { type OAuthForm, readParameter } from './form.ts'

export interface ClientDeps {
  /** URL of the issuer. An assertion may name it as its audience. */
  readonly issuer: string
  /** Allowed clock skew of an assertion, seconds. */
  readonly clockTolerance: number
  /** Finds credentials, and records the assertions that were used. */
  readonly storage: Pick<Storage, 'findCredential' | 'useAssertion'>
  /** Checks a client id and secret, and notes that the credential was used. */
  readonly authenticate: Authenticate
  /** Called with the credential of an accepted assertion, and the time (epoch milliseconds). */
  readonly noteUse: (credentialId: string, now: number) => void
  readonly refuseCaller: RefuseCaller
}

/** The part of client authentication that differs between endpoints. */
export interface ClientRules {
  /** URLs that an assertion may name as its audience, besides the issuer. */
  readonly endpoints: readonly string[]
  /** Used to refuse a client that is over its limit before its assertion is used up. The request is not counted here. */
  readonly limit: CredentialLimit
}

/** A client whose credentials were right. */
export interface AuthenticatedClient {
  readonly found: CredentialWithAccount
  /** Whether it authenticated with an assertion, which is now used up. */
  readonly isAsserted: boolean
}

/** The client of a complete request and its form. The reason is a 400, 401 or 429. Rejects when the store does. */
export type AuthenticateClient = (
  received: Received,
  form: OAuthForm,
  rules: ClientRules,
) => Promise<Result<AuthenticatedClient, Problem>>

/** The authentication methods, by their names in the metadata (RFC 8414). */
export const clientAuthMethods: readonly string[] = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
]

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** The format of client ids. Another text is refused without a query to the database. */
const CLIENT_ID = /^[0-9A-Za-z]{1,64}$/

/** The 401 of every OAuth endpoint. */
export const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the client credentials are missing, wrong, expired or revoked',
}

export function createAuthenticateClient(deps: ClientDeps): AuthenticateClient {
  const { storage } = deps

  /** The credential of a valid assertion; undefined for an invalid one. The reason is the 429 of a client over its limit. */
  async function proveAssertion(
    { assertion, clientId }: AssertionCredentials,
    { endpoints, limit }: ClientRules,
    now: () => number,
  ): Promise<Result<CredentialWithAccount | undefined, Problem>> {
    const decoded = decodeAssertion(assertion)
    if (decoded === undefined) return NO_CLIENT
    const id = decoded.claims.sub
    const isNamed = typeof id === 'string' && CLIENT_ID.test(id) && id === (clientId ?? id)
    const found = isNamed ? await storage.findCredential(id) : undefined
    const isSigned = await isSignedByClient(decoded, found?.credential.jwks ?? undefined)
    const nowMs = now()
    if (!isSigned || found === undefined || !isInForce(found, nowMs)) return NO_CLIENT
    const used = checkAssertionClaims(decoded.claims, {
      clientId: found.credential.id,
      audiences: [deps.issuer, ...endpoints],
      clockTolerance: deps.clockTolerance,
      now: nowMs / 1000,
    })
    if (used === undefined) return NO_CLIENT
    const room = await limit.peek(found.credential.id)
    if (!room.ok) return room
    // After every other check, so that only the client itself can use up an assertion.
    const keptUntil = Math.ceil(used.exp * 1000) + CLOCK_SPREAD_MS
    if (!(await storage.useAssertion(found.credential.id, used.jti, keptUntil))) return NO_CLIENT
    deps.noteUse(found.credential.id, nowMs)
    return ok(found)
  }

  return async ({ context }, form, rules) => {
    const credentials = readCredentials(context.request.headers, form)
    if (!credentials.ok) return fail({ code: 'invalid_request', detail: credentials.reason })
    const client = credentials.value
    const isAsserted = client !== undefined && 'assertion' in client
    const authenticated = isAsserted
      ? await proveAssertion(client, rules, context.now)
      : ok(await deps.authenticate(client, context.now()))
    if (!authenticated.ok) return authenticated
    const found = authenticated.value
    if (found === undefined) return fail(await deps.refuseCaller(context, UNAUTHORIZED))
    return ok({ found, isAsserted })
  }
}

/**
 * How much longer than its lifetime a used assertion is recorded, milliseconds: a process whose clock is behind accepts it
 * for longer.
 */
const CLOCK_SPREAD_MS = 300_000
const NO_CLIENT = ok(undefined)

interface AssertionCredentials {
  readonly assertion: string
  /** The `client_id` parameter, which is optional with an assertion. */
  readonly clientId: string | undefined
}

/** The credentials in a request; undefined when there are none or they cannot be right. The reason is the text of a 400. */
function readCredentials(
  headers: Headers,
  form: OAuthForm,
): Result<ClientSecret | AssertionCredentials | undefined, string> {
  const basic = readBasic(headers)
  const clientId = readParameter(form, 'client_id')
  const clientSecret = readParameter(form, 'client_secret')
  const assertion = readParameter(form, 'client_assertion')
  const type = readParameter(form, 'client_assertion_type')
  if ([basic, clientSecret, assertion].filter((one) => one !== undefined).length > 1) {
    return fail('authenticate in one way only: Authorization header, client_secret, or client_assertion')
  }
  if ((assertion === undefined) !== (type === undefined)) {
    return fail('client_assertion and client_assertion_type belong together')
  }
  if (assertion !== undefined) return ok(type === ASSERTION_TYPE ? { assertion, clientId } : undefined)
  if (basic !== undefined) {
    const pair = basic.ok ? decodePair(basic.value.user, basic.value.password) : undefined
    return ok(pair?.clientId === (clientId ?? pair?.clientId) ? toPair(pair) : undefined)
  }
  return ok(clientId && clientSecret ? toPair({ clientId, clientSecret }) : undefined)
}

function toPair(pair: ClientSecret | undefined): ClientSecret | undefined {
  return pair !== undefined && CLIENT_ID.test(pair.clientId) ? pair : undefined
}

/** Form-decodes both parts of Basic (RFC 6749 section 2.3.1); undefined when the encoding is malformed. */
function decodePair(user: string, password: string): ClientSecret | undefined {
  try {
    return { clientId: decodePart(user), clientSecret: decodePart(password) }
  } catch {
    return undefined
  }
}

/** Throws URIError on malformed percent-encoding. */
function decodePart(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

/** Find a pair in forms, JSON, multipart and query strings: the name, then punctuation or blanks, then the value. */
const ID_ANYWHERE = /client_?id\W+([0-9A-Za-z]{1,64})\b/i
const SECRET_ANYWHERE = /client_?secret\W+([0-9A-Za-z]{1,128})\b/i

/**
 * The client id and secret in a Basic header, else anywhere in these texts. For the report about a secret in a browser, so
 * the form of the request does not matter.
 */
export function findClientSecret(headers: Headers, texts: readonly string[]): ClientSecret | undefined {
  const basic = readBasic(headers)
  if (basic?.ok) return toPair(decodePair(basic.value.user, basic.value.password))
  const text = texts.join('\n')
  const [clientId, clientSecret] = [ID_ANYWHERE.exec(text)?.[1], SECRET_ANYWHERE.exec(text)?.[1]]
  return clientId && clientSecret ? { clientId, clientSecret } : undefined
}
