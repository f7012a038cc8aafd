// The door "claimgate/browser": calls to an API with tokens that the page's own backend hands out. It knows no secret,
// and keeps no token anywhere but in memory. Importing it does nothing; on a server its functions only say so.

import type { ClientConfig } from './ask.ts'
import { createDataClient, type DataClient, type DataInit } from './data-client.ts'
import { DataClientError, type Problem } from './error.ts'
import { isRefusal } from './renewal.ts'
import { browserFetch, createSource, type TokenSource, type TokenSourceOptions } from './token-source.ts'

export type { Authorization } from './token-source.ts'
export type { ClientConfig, DataClient, DataClientError, DataInit, Problem, TokenSource, TokenSourceOptions }

/** Options of {@link autoInitializeDataClient}. */
export interface DataClientOptions extends TokenSourceOptions {
  /** The API; what the token endpoint says. */
  readonly baseUrl?: string | undefined
  /** Origins that get the token; that of `baseUrl`. */
  readonly apiOrigins?: readonly string[] | undefined
  /** Hears of every failure to get a token, those behind the page's back included. */
  readonly onError?: ((error: DataClientError) => void) | undefined
}

/**
 * A client for the API, once its first token is there. Rejects with a `DataClientError` when the token endpoint refuses,
 * and when it cannot be reached unless `baseUrl` is given: then calls fail until it can. Throws TypeError on options that
 * are no URLs, and an Error where there is no browser.
 *
 * @example
 * const client = await autoInitializeDataClient({ clientTokenUri: '/api/client-token' })
 * const plants = await client.get('/plants?page=2')
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
 * Tokens without calls, for WebSockets or another HTTP client.
 *
 * @example
 * const source = createTokenSource({ clientTokenUri: '/api/client-token' })
 * new WebSocket('wss://api.example.com/live', ['claimgate', await source.getToken()])
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { getToken, authorize, invalidate, close } = createSource(options)
  return { getToken, authorize, invalidate, close }
}

/** An outage passes; a refusal is for the page to act on. */
function forgiveOutage(error: DataClientError): void {
  if (error.code === 'unsupported' || isRefusal(error.status)) throw error
}

function toOrigin(url: string): string {
  const { origin } = new URL(url)
  // Every origin without a name calls itself so.
  if (origin === 'null') throw new TypeError(`apiOrigins: ${url} has no origin`)
  return origin
}
