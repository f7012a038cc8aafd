// The package export "claimgate/browser": calls to an API with tokens that the page's own backend issues. It holds no
// secret and keeps tokens in memory only. Importing it has no effect; on a server its functions throw an Error.

import type { ClientConfig } from './ask.ts'
import { createDataClient, type DataClient, type DataInit } from './data-client.ts'
import { DataClientError, type Problem } from './error.ts'
import { isRefusal } from './renewal.ts'
import { browserFetch, createSource, type TokenSource, type TokenSourceOptions } from './token-source.ts'

export type { Authorization } from './token-source.ts'
export type { ClientConfig, DataClient, DataClientError, DataInit, Problem, TokenSource, TokenSourceOptions }

/** Options of {@link autoInitializeDataClient}; only `clientTokenUri` is required. */
export interface DataClientOptions extends TokenSourceOptions {
  /** Base URL of the API, relative to the page. Default: the `baseUrl` that the token endpoint gives. */
  readonly baseUrl?: string | undefined
  /** Absolute URLs of the origins that get the token. Default: the origin of `baseUrl`. */
  readonly apiOrigins?: readonly string[] | undefined
  /** Called for every failed request for a token, also for renewals in the background that no call waits for. */
  readonly onError?: ((error: DataClientError) => void) | undefined
}

/**
 * Gets the first token from the page's own backend and resolves to a client for the API. The client adds the token to
 * each call, renews it before it expires, and shares it with other tabs of this origin. Not checked: the signature and
 * the claims of the token, which only the API verifies.
 *
 * Rejects with a {@link DataClientError} when the token endpoint refuses (4xx but 408 and 429). When it cannot be reached
 * or is out of order, rejects too, except with the option `baseUrl`: then calls fail until the endpoint recovers. Rejects
 * with a TypeError when an option is not a URL, and with an Error outside of a page or worker.
 *
 * @example
 * const client = await autoInitializeDataClient({ clientTokenUri: '/api/client-token' })
 * const plants = await client.get<{ id: number }[]>('/plants?page=2')
 */
export async function autoInitializeDataClient(options: DataClientOptions): Promise<DataClient> {
  const source = createSource(options, options.onError)
  try {
    const baseUrl = options.baseUrl ?? (await source.getConfig())?.baseUrl
    if (!baseUrl) {
      throw new DataClientError('the token endpoint names no API: baseUrl is needed', {
        code: 'invalid_response',
      })
    }
    const api = new URL(baseUrl, location.href)
    const apiOrigins = new Set((options.apiOrigins ?? [api.href]).map(toOrigin))
    if (options.baseUrl) await source.getConfig().catch(forgiveOutage)
    return createDataClient({ source, baseUrl: api.href, apiOrigins, fetch: options.fetch ?? browserFetch })
  } catch (error) {
    source.close()
    throw error
  }
}

/**
 * Creates a source of tokens for code that makes its own requests: a WebSocket, or another HTTP client. The first token
 * is requested by the first call; from then on the token is renewed before it expires, until `close` is called. Call it
 * once per page. Throws a TypeError when `clientTokenUri` is missing or not a URL, and an Error outside of a page or worker.
 *
 * @example
 * const source = createTokenSource({ clientTokenUri: '/api/client-token' })
 * const socket = new WebSocket('wss://api.example.com/live', ['claimgate', await source.getToken()])
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { getToken, authorize, invalidate, close } = createSource(options)
  return { getToken, authorize, invalidate, close }
}

/** Ignores outages, which end without the page; rethrows what the page must react to. */
function forgiveOutage(error: DataClientError): void {
  if (error.code === 'unsupported' || isRefusal(error.status)) throw error
}

function toOrigin(url: string): string {
  const { origin } = new URL(url)
  // The origin of data: URLs and of unknown schemes.
  if (origin === 'null') throw new TypeError(`apiOrigins: ${url} has no origin`)
  return origin
}
