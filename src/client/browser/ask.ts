// One request to the token endpoint of the page's own backend. Follows no redirect (a login page is no token), and
// takes no token that is bound in another way than was asked for.

import { DataClientError, networkError, parseObject, toError } from './error.ts'

/** What the backend tells of itself and of the API, when it does. */
export interface ClientConfig {
  readonly baseUrl: string
  readonly issuer: string
  readonly clientId: string
  readonly clientTokenUri: string
}

/** A token as it came. */
export interface Answer {
  readonly token: string
  readonly lifeMs: number
  readonly config: ClientConfig | undefined
}

/** Where and how to ask. */
export interface Ask {
  readonly uri: string
  readonly credentials: RequestCredentials
  readonly fetch: typeof fetch
  /** Thumbprint of the key to bind the token to. */
  readonly jkt: string | undefined
}

const TIME_LIMIT_MS = 10_000
const ENDPOINT = 'the token endpoint'

/** Asks; rejects with a {@link DataClientError}. */
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
    if (!response.ok) throw await toError(response, ENDPOINT)
    text = await response.text()
  } catch (error) {
    throw error instanceof DataClientError ? error : networkError(ENDPOINT, error)
  }
  const { token, expiresIn, tokenType = 'Bearer', config } = parseObject(text) ?? {}
  const type = jkt === undefined ? 'bearer' : 'dpop'
  const isRight =
    typeof token === 'string' &&
    typeof expiresIn === 'number' &&
    expiresIn > 0 &&
    String(tokenType).toLowerCase() === type
  if (!isRight) {
    throw new DataClientError(`${ENDPOINT} gave no ${type} token`, {
      status: response.status,
      code: 'invalid_response',
    })
  }
  return { token, lifeMs: expiresIn * 1000, config: config as ClientConfig | undefined }
}
