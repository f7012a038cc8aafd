// A client-token endpoint for servers that speak Request and Response: Hono, Next.js, Workers, Deno, Bun.

import { readBytes } from '../../lib/read-bytes.ts'
import { createEndpoint, type Exchange } from './endpoint.ts'
import { BROKEN_BODY, MAX_BODY_BYTES } from './endpoint-body.ts'
import type { ClaimClient, EndpointOptions } from './types.ts'

/** Options of {@link createClientTokenEndpoint}. */
export type ClientTokenEndpointOptions = EndpointOptions<Request>

/** Answers a page's request. `ip` is the socket's peer, which only `bindIp` asks for. Never rejects. */
export type ClientTokenEndpoint = (
  request: Request,
  connection?: { readonly ip?: string | undefined },
) => Promise<Response>

/**
 * Gives the pages of a site short-lived tokens for an API, so that the site's credential never leaves its server.
 *
 * 200 `{ token, expiresIn, tokenType, config? }`, `expiresIn` being the seconds that the token still lives. Refusals
 * are problem+json: 401 `authenticate` said no, 403 wrong or missing origin, 405, 502 the issuer refused us (see
 * `onError`), 503 not configured or not now, 504 no answer in 5 s. Not done: sessions and CSRF tokens; `authenticate`
 * is where yours belong.
 *
 * @throws {TypeError} on options that make no sense, when it is made.
 * @example
 * const client = createClaimClient(loadConfig())
 * const endpoint = createClientTokenEndpoint(client, {
 *   clientTokenUri: '/api/client-token',
 *   baseUrl: 'https://api.example.com',
 *   allowedOrigins: ['https://www.example.com'],
 *   authenticate: (request) => isSignedIn(request.headers.get('cookie')),
 * })
 * app.all('/api/client-token', (c) => endpoint(c.req.raw)) // Hono
 * const POST = (request: Request) => endpoint(request) // Next.js: exported by app/api/client-token/route.ts,
 * const OPTIONS = POST // the second only where a page of another origin asks
 * const worker = {
 *   // Workers: the second argument is for bindIp
 *   fetch: (request: Request) => endpoint(request, { ip: request.headers.get('cf-connecting-ip') ?? undefined }),
 * }
 */
export function createClientTokenEndpoint(
  client: ClaimClient,
  options: ClientTokenEndpointOptions,
): ClientTokenEndpoint {
  const endpoint = createEndpoint(client, options)

  return async function clientTokenEndpoint(request, connection) {
    const { status, headers, body } = await endpoint(toExchange(request, connection?.ip))
    return new Response(body, { status, headers })
  }
}

function toExchange(request: Request, ip: unknown): Exchange<Request> {
  return {
    request,
    method: request.method,
    path: new URL(request.url).pathname,
    peer: typeof ip === 'string' ? ip : undefined,
    header: (name) => request.headers.get(name),
    async readBody() {
      // It may have asked for a key-bound token: one without the key could be used by any holder.
      if (request.bodyUsed || request.body?.locked) {
        throw new Error('the body was read before; hand over a request whose body is whole, such as a clone')
      }
      return readBytes(request.body, MAX_BODY_BYTES).catch(() => BROKEN_BODY)
    },
  }
}
