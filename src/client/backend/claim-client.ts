// A client of the issuer for the customer's backend. The credential is sent to the issuer only, and no error
// message contains it.

import type { JsonObject } from '../../lib/json.ts'
import { checkNames } from '../../lib/options.ts'
import { askIssuer, toRequestError } from './ask-issuer.ts'
import { type Credential, checkCredential, checkIssuer, encodeBasic } from './credential.ts'
import { ClaimRequestError } from './error.ts'
import type { ClaimAnswer, ClaimClient, ClaimClientOptions } from './types.ts'

/** Names of the client's options. An endpoint accepts them too, so that the result of `loadConfig` can be spread into both. */
export const clientOptionNames: Readonly<Record<keyof ClaimClientOptions, true>> = {
  issuer: true,
  token: true,
  clientId: true,
  clientSecret: true,
  clientTokenUri: true,
  allowedOrigins: true,
  baseUrl: true,
  allowInsecureIssuer: true,
}

/** Longest token that a verifier accepts. */
const MAX_TOKEN_LENGTH = 4096
const FORM_TYPE = 'application/x-www-form-urlencoded'

const MISSING_ISSUER = 'set the option issuer (variable CLAIMGATE_ISSUER) to the URL of the issuer'
const MISSING_CREDENTIAL =
  'set the option token (variable CLAIMGATE_ACCOUNT_TOKEN), or both clientId and clientSecret (CLAIMGATE_CLIENT_ID and CLAIMGATE_CLIENT_SECRET)'

type Scheme = 'Bearer' | 'Basic'

/**
 * Creates a client that claims tokens from an issuer. Each call is one request: tokens are not cached and failures are not
 * retried. A client without issuer or credential can be created; its calls reject with `unavailable`. Not checked: whether
 * the issuer accepts the credential.
 *
 * @throws {TypeError} when an option is unknown or invalid. The message names the option, never its value.
 * @example
 * const client = createClaimClient({ issuer: 'https://auth.example.com', token: accountToken })
 * const { token, expiresIn } = await client.claim({ origin: 'https://www.example.com' })
 */
export function createClaimClient(options: ClaimClientOptions): ClaimClient {
  checkNames(options, clientOptionNames)
  const issuer = checkIssuer(options.issuer, options.allowInsecureIssuer)
  const credential = checkCredential(options)
  const { clientTokenUri, allowedOrigins, baseUrl } = options
  const missing = [
    ...(issuer === undefined ? [MISSING_ISSUER] : []),
    ...(credential === undefined ? [MISSING_CREDENTIAL] : []),
  ]
  const notConfigured = missing.length === 0 ? undefined : `not configured: ${missing.join(', and ')}`

  async function ask(path: string, type: string, scheme: Scheme, body: string): Promise<JsonObject> {
    if (issuer === undefined || credential === undefined) {
      throw new ClaimRequestError('unavailable', 503, notConfigured ?? '')
    }
    const credentialText = scheme === 'Bearer' ? credential.accountToken : encodeBasic(credential)
    const headers = { 'content-type': type, authorization: `${scheme} ${credentialText}` }
    const answer = await askIssuer(`${issuer}${path}`, headers, body)
    if (answer.status === 200 && answer.body !== undefined) return answer.body
    throw toRequestError(answer, secretsOf(credential, credentialText))
  }

  return {
    issuer,
    clientId: credential?.clientId,
    notConfigured,
    settings: { clientTokenUri, allowedOrigins, baseUrl },

    async claim(request) {
      const answer = await ask('/auth/claim', 'application/json', 'Bearer', JSON.stringify(request))
      const wantsKey = (request.jkt ?? undefined) !== undefined
      // A Bearer token in place of a key-bound one could be used by anyone who copies it.
      const hasRightType = answer.tokenType === (wantsKey ? 'DPoP' : 'Bearer')
      if (!hasRightType || !isTokenWithLifetime(answer.token, answer.expiresIn)) throw createAnswerFault()
      return answer as unknown as ClaimAnswer
    },

    async token({ scope } = {}) {
      const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) })
      const answer = await ask('/oauth/token', FORM_TYPE, 'Basic', form.toString())
      const { access_token: token, token_type: tokenType, expires_in: expiresIn, scope: granted } = answer
      if (tokenType !== 'Bearer' || !isTokenWithLifetime(token, expiresIn)) throw createAnswerFault()
      return {
        token: token as string,
        tokenType,
        expiresIn: expiresIn as number,
        ...(typeof granted === 'string' && { scope: granted }),
      }
    },
  }
}

function isTokenWithLifetime(token: unknown, expiresIn: unknown): boolean {
  const isText = typeof token === 'string' && token.length <= MAX_TOKEN_LENGTH && /^[\w.-]+$/.test(token)
  return isText && Number.isSafeInteger(expiresIn) && (expiresIn as number) > 0
}

/** Every form of the secret that an answer might repeat. */
function secretsOf({ accountToken, clientSecret }: Credential, credentialText: string): readonly string[] {
  return [accountToken, credentialText, ...(clientSecret === undefined ? [] : [clientSecret])]
}

function createAnswerFault(): ClaimRequestError {
  return new ClaimRequestError(
    'bad_gateway',
    502,
    'the answer of the issuer does not contain the token that was asked for',
  )
}
