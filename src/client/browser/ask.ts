// One request to the token endpoint of the page's own backend. A redirect is an error, because it may lead to a login
// page. So is a token of another type than the requested one (bearer, or bound to a key).

import { DataClientError, invalidResponse, networkError, parseObject, toError } from './error.ts'

/** The `config` in the answer of the token endpoint, which backends may leave out. Its members are not checked. */
export interface ClientConfig {
  /** Base URL of the API. */
  readonly baseUrl: string
  readonly issuer: string
  readonly clientId: string
  readonly clientTokenUri: string
}

/** The answer of the token endpoint. Neither the token nor the config is verified. */
export interface Answer {
  readonly token: string
  /** Lifetime in milliseconds, counted from the request. */
  readonly lifeMs: number
  readonly config: ClientConfig | undefined
}

/** Parameters of {@link askToken}: the endpoint, and how to reach it. */
export interface Ask {
  readonly uri: string
  readonly credentials: RequestCredentials
  readonly fetch: typeof fetch
  /** RFC 7638 thumbprint of the key to bind the token to; undefined: a bearer token. */
  readonly jkt: string | undefined
}

const TIME_LIMIT_MS = 10_000
const ENDPOINT = 'the token endpoint'

/**
 * Requests a token. Rejects with a {@link DataClientError}: `network_error` when there is no complete answer within 10 s,
 * `invalid_response` when the answer has no token of the requested type, else the code of the refusal.
 */
export async function askToken({ uri, credentials, fetch, jkt }: Ask): Promise<Answer> {
  const bound = jkt && { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ jkt }) }
  let response: Response
  let text: string
  try {
    response = await fetch(uri, {
      method: 'POST',
      credentials,
      cache: 'no-store',
      redirect: 'error',
      signal: AbortSignal.timeout(TIME_LIMIT_MS),
      ...bound,
    })
    if (!response.ok) throw await toError(response, ENDPOINT, Date.now)
    text = await response.text()
  } catch (error) {
    throw error instanceof DataClientError ? error : networkError(ENDPOINT, error)
  }
  const { token, expiresIn, tokenType = 'Bearer', config } = parseObject(text) ?? {}
  const type = jkt ? 'dpop' : 'bearer'
  const isRight =
    typeof token === 'string' &&
    typeof expiresIn === 'number' &&
    expiresIn > 0 &&
    String(tokenType).toLowerCase() === type
  if (!isRight) {
    throw invalidResponse(`${ENDPOINT} sent no ${type} token`, response.status)
  }
  return { token, lifeMs: expiresIn * 1000, config: config as ClientConfig | undefined }
}
