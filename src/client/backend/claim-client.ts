// The customer's backend as a client of the issuer: its credential goes to the issuer and nowhere else, and into no
// message. Remembers no token and repeats no request.

import type { JsonObject } from '../../lib/json.ts'
import { askIssuer, toRequestError } from './ask-issuer.ts'
import { type Credential, checkCredential, checkIssuer, spellBasic } from './credential.ts'
import { ClaimRequestError } from './error.ts'
import type { ClaimAnswer, ClaimClient, ClaimClientOptions } from './types.ts'

const KNOWN = [
  'issuer token clientId clientSecret clientTokenUri allowedOrigins baseUrl allowInsecureIssuer',
].flatMap((names) => names.split(' '))

/** Longest token that a verifier reads. */
const MAX_TOKEN_LENGTH = 4096

/**
 * A client of the issuer. Without issuer or credential it can be made, and every request of it rejects with
 * `unavailable`. Not checked: whether the credential is right, which the issuer tells.
 *
 * @throws {TypeError} on options that make no sense; its message names the option, never its value.
 * @example
 * const client = createClaimClient({ issuer: 'https://auth.example.com', token: accountToken })
 * const { token, expiresIn } = await client.claim({ origin: 'https://www.example.com' })
 */
export function createClaimClient(options: ClaimClientOptions): ClaimClient {
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name))
  if (unknown !== undefined) throw new TypeError(`${unknown}: is no option`)
  const issuer = checkIssuer(options.issuer, options.allowInsecureIssuer)
  const credential = checkCredential(options)
  const { clientTokenUri, allowedOrigins, baseUrl } = options

  async function ask(path: string, type: string, scheme: Scheme, body: string): Promise<JsonObject> {
    if (issuer === undefined || credential === undefined) {
      const missing = issuer === undefined ? 'issuer' : 'credential'
      throw new ClaimRequestError('unavailable', 503, `no ${missing} is configured`)
    }
    const presented = scheme === 'Bearer' ? credential.accountToken : spellBasic(credential)
    const headers = { 'content-type': type, authorization: `${scheme} ${presented}` }
    const answer = await askIssuer(`${issuer}${path}`, headers, body)
    if (answer.status === 200 && answer.body !== undefined) return answer.body
    throw toRequestError(answer, secretsOf(credential, presented))
  }

  return {
    issuer,
    clientId: credential?.clientId,
    settings: { clientTokenUri, allowedOrigins, baseUrl },

    async claim(request) {
      const answer = await ask('/auth/claim', 'application/json', 'Bearer', JSON.stringify(request))
      const isKeyBound = (request.jkt ?? undefined) !== undefined
      // A bound that was asked for and is not there would be a token for everybody.
      const isRight = answer.tokenType === (isKeyBound ? 'DPoP' : 'Bearer')
      if (!isRight || !isToken(answer.token, answer.expiresIn)) throw badAnswer()
      return answer as unknown as ClaimAnswer
    },

    async token({ scope } = {}) {
      const form = new URLSearchParams({ grant_type: 'client_credentials', ...(scope && { scope }) })
      const answer = await ask('/oauth/token', FORM_TYPE, 'Basic', form.toString())
      const { access_token: token, token_type: tokenType, expires_in: expiresIn, scope: granted } = answer
      if (tokenType !== 'Bearer' || !isToken(token, expiresIn)) throw badAnswer()
      return {
        token: token as string,
        tokenType,
        expiresIn: expiresIn as number,
        ...(typeof granted === 'string' && { scope: granted }),
      }
    },
  }
}

type Scheme = 'Bearer' | 'Basic'

const FORM_TYPE = 'application/x-www-form-urlencoded'

function isToken(token: unknown, expiresIn: unknown): boolean {
  const isText = typeof token === 'string' && token.length <= MAX_TOKEN_LENGTH && /^[\w.-]+$/.test(token)
  return isText && Number.isSafeInteger(expiresIn) && (expiresIn as number) > 0
}

/** Every spelling of the secret that an answer could repeat. */
function secretsOf({ accountToken, clientSecret }: Credential, presented: string): readonly string[] {
  return [accountToken, presented, ...(clientSecret === undefined ? [] : [clientSecret])]
}

function badAnswer(): ClaimRequestError {
  return new ClaimRequestError('bad_gateway', 502, 'the issuer gave an answer that holds no such token')
}
