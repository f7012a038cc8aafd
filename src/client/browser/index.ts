// The package export "claimgate/browser": calls to an API with tokens that the page's own backend issues. It holds no
// secret and keeps tokens in memory only. Importing it has no effect; on a server its functions throw an Error.

import type { ClientConfig } from './ask.ts'
import { createDataClient, type DataClient, type DataInit } from './data-client.ts'
import { DataClientError, invalidResponse, type Problem } from './error.ts'
import { isRefusal } from './renewal.ts'
import {
  browserFetch,
  createSource,
  pageBase,
  type TokenSource,
  type TokenSourceOptions,
} from './token-source.ts'

export type { DataClientErrorCode } from './error.ts'
export type { Authorization } from './token-source.ts'
export type { ClientConfig, DataClient, DataInit, Problem, TokenSource, TokenSourceOptions }
export { DataClientError }

/** Options of {@link autoInitializeDataClient}; only `clientTokenUri` is required. */
export interface DataClientOptions extends TokenSourceOptions {
  /** Base URL of the API, absolute or relative to the page. Default: the `baseUrl` that the token endpoint sends. */
  readonly baseUrl?: string | undefined
  /** The only origins that get the token, as absolute URLs. Default: the origin of `baseUrl`. */
  readonly apiOrigins?: readonly string[] | undefined
  /** Called for every failed request for a token, also for renewals in the background that no call waits for. */
  readonly onError?: ((error: DataClientError) => void) | undefined
}

/**
 * Gets the first token from the page's own backend and resolves to a client for the API. The client adds the token to
 * each call, renews it before it expires, and shares it with other tabs of this origin. Not checked: the signature and
 * the claims of the token, which only the API verifies.
 *
 * Rejects with a {@link DataClientError} when the token endpoint refuses (4xx except 408 and 429), or when `dpop` is set
 * outside of a secure context. Other failures of the endpoint reject too, unless `baseUrl` is set: then it resolves, and
 * calls fail until the endpoint works again. Rejects with a TypeError when an option is not a URL, and with an Error outside
 * of a page or worker.
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
      throw invalidResponse('the token endpoint sent no baseUrl; set baseUrl', 0)
    }
    const api = new URL(baseUrl, pageBase())
    const apiOrigins = new Set((options.apiOrigins ?? [api.href]).map(toOrigin))
    if (options.baseUrl) await source.getConfig().catch(ignoreOutage)
    return createDataClient({ source, baseUrl: api.href, apiOrigins, fetch: options.fetch ?? browserFetch })
  } catch (error) {
    source.close()
    throw error
  }
}

/**
 * Creates a source of tokens for code that makes its own requests: a WebSocket, or another HTTP client. The first token
 * is requested by the first call; from then on the token is renewed before it expires, until `close` is called. Create one
 * source per page. Throws a TypeError when `clientTokenUri` is missing or not a URL, and an Error outside of a page or worker.
 *
 * @example
 * const source = createTokenSource({ clientTokenUri: '/api/client-token' })
 * const socket = new WebSocket('wss://api.example.com/live', ['claimgate', await source.getToken()])
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { getToken, authorize, invalidate, close } = createSource(options)
  return { getToken, authorize, invalidate, close }
}

/** Ignores an outage, because the source tries again by itself. Rethrows an error that waiting does not fix. */
function ignoreOutage(error: DataClientError): void {
  if (error.code === 'unsupported' || isRefusal(error.status)) throw error
}

function toOrigin(url: string): string {
  const { origin } = new URL(url)
  // `data:` URLs and URLs of unknown schemes have the origin "null".
  if (origin === 'null') throw new TypeError(`apiOrigins: ${url} has no origin`)
  return origin
}
