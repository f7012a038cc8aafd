// Who the client is (RFC 6749 section 2.3, RFC 7523): Basic, secret in the body, or a signed assertion; one of them.
// Which of them failed, and why, is not told: unknown, wrong, expired, revoked and suspended are one answer.

import type { CredentialWithAccount } from '../claims/account.ts'
import { readBasic } from '../http/authorization.ts'
import type { Problem } from '../http/problem.ts'
import type { Received } from '../issue/admission.ts'
import { type Authenticate, isInForce } from '../issue/authenticate.ts'
import type { CredentialLimit, RefuseCaller } from '../issue/limits.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import { decodeAssertion, judgeAssertion } from './assertion.ts'
import { isSignedByClient } from './client-keys.ts'
import { type OAuthForm, readParameter } from './form.ts'

/** What client authentication needs. */
export interface ClientDeps {
  /** URL of the issuer, which an assertion may name as its audience. */
  readonly issuer: string
  /** Allowed clock skew of `iat` and `nbf`, seconds. */
  readonly clockTolerance: number
  /** Finds credentials, and keeps the assertions that were used. */
  readonly storage: Pick<Storage, 'findCredential' | 'useAssertion'>
  /** Proves pairs, and notes their use. */
  readonly authenticate: Authenticate
  /** Told which credential an assertion proved, and when (epoch milliseconds). */
  readonly noteUse: (credentialId: string, now: number) => void
  readonly refuseCaller: RefuseCaller
}

/** The part of client authentication that differs between endpoints. */
export interface ClientRules {
  /** URLs that an assertion may name as its audience. */
  readonly endpoints: readonly string[]
  /** Only read: an assertion of a client over its limit is refused without being used up. */
  readonly limit: CredentialLimit
}

/** An authenticated client. */
export interface ProvenClient {
  readonly found: CredentialWithAccount
  /** Whether an assertion proved it, which is now used up. */
  readonly isAsserted: boolean
}

/** The client that a complete request and its form prove. */
export type AuthenticateClient = (
  received: Received,
  form: OAuthForm,
  rules: ClientRules,
) => Promise<Result<ProvenClient, Problem>>

/** Ways of authenticating, as the metadata names them. */
export const clientAuthMethods: readonly string[] = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
]

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** Base62, as account tokens have it: anything else is nobody's, and need not reach the database. */
const CLIENT_ID = /^[0-9A-Za-z]{1,64}$/

/** The client was not accepted. */
export const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the client credentials are missing, wrong, expired or revoked',
}

/** Client authentication of the OAuth endpoints. */
export function createAuthenticateClient(deps: ClientDeps): AuthenticateClient {
  const { storage } = deps

  /** Undefined: it proves nothing. A reason: it does, but its client is over the limit. */
  async function proveAssertion(
    { assertion, clientId }: PresentedAssertion,
    { endpoints, limit }: ClientRules,
    now: () => number,
  ): Promise<Result<CredentialWithAccount | undefined, Problem>> {
    const decoded = decodeAssertion(assertion)
    if (decoded === undefined) return NOT_PROVEN
    const id = decoded.claims.sub
    const isNamed = typeof id === 'string' && CLIENT_ID.test(id) && id === (clientId ?? id)
    const found = isNamed ? await storage.findCredential(id) : undefined
    const isSigned = await isSignedByClient(decoded, found?.credential.jwks ?? undefined)
    const nowMs = now()
    if (!isSigned || found === undefined || !isInForce(found, nowMs)) return NOT_PROVEN
    const once = judgeAssertion(decoded.claims, {
      clientId: found.credential.id,
      audiences: [deps.issuer, ...endpoints],
      clockTolerance: deps.clockTolerance,
      now: nowMs / 1000,
    })
    if (once === undefined) return NOT_PROVEN
    const room = await limit.peek(found.credential.id)
    if (!room.ok) return room
    // Last of all: nobody but the client itself can use up an assertion.
    const keptUntil = Math.ceil(once.exp * 1000) + CLOCK_SPREAD_MS
    if (!(await storage.useAssertion(found.credential.id, once.jti, keptUntil))) return NOT_PROVEN
    deps.noteUse(found.credential.id, nowMs)
    return ok(found)
  }

  return async ({ context }, form, rules) => {
    const presented = readPresented(context.request.headers, form)
    if (!presented.ok) return fail({ code: 'invalid_request', detail: presented.reason })
    const client = presented.value
    const isAsserted = client !== undefined && 'assertion' in client
    const proven = isAsserted
      ? await proveAssertion(client, rules, context.now)
      : ok(await deps.authenticate(client, context.now()))
    if (!proven.ok) return proven
    const found = proven.value
    if (found === undefined) return fail(await deps.refuseCaller(context, UNAUTHORIZED))
    return ok({ found, isAsserted })
  }
}

/** Greatest clock difference of two processes: the slower one may accept what has expired for the other. */
const CLOCK_SPREAD_MS = 300_000
const NOT_PROVEN = ok(undefined)

interface PresentedAssertion {
  readonly assertion: string
  /** The `client_id` beside it. */
  readonly clientId: string | undefined
}

/** What the client presents; undefined when it is nothing that could be right. */
function readPresented(
  headers: Headers,
  form: OAuthForm,
): Result<ClientSecret | PresentedAssertion | undefined, string> {
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

/** Both parts of Basic are form-encoded here (RFC 6749 section 2.3.1); undefined when they are not. */
function decodePair(user: string, password: string): ClientSecret | undefined {
  try {
    return { clientId: decodePart(user), clientSecret: decodePart(password) }
  } catch {
    return undefined
  }
}

/** Throws URIError. */
function decodePart(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '))
}

/** How a pair is spelled in forms, JSON, multipart and query strings alike: a name, what is no word, the value. */
const ID_ANYWHERE = /client_?id\W+([0-9A-Za-z]{1,64})\b/i
const SECRET_ANYWHERE = /client_?secret\W+([0-9A-Za-z]{1,128})\b/i

/**
 * The pair that stands in Basic or anywhere in these texts, whatever is around it: for finding out whose secret was put
 * where none belongs.
 */
export function findClientSecret(headers: Headers, texts: readonly string[]): ClientSecret | undefined {
  const basic = readBasic(headers)
  if (basic?.ok) return toPair(decodePair(basic.value.user, basic.value.password))
  const text = texts.join('\n')
  const [clientId, clientSecret] = [ID_ANYWHERE.exec(text)?.[1], SECRET_ANYWHERE.exec(text)?.[1]]
  return clientId && clientSecret ? { clientId, clientSecret } : undefined
}
