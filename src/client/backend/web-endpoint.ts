// A client-token endpoint for servers that use Request and Response: Hono, Next.js, Workers, Deno, Bun.

import { readBytes } from '../../lib/read-bytes.ts'
import { createEndpoint, type Exchange } from './endpoint.ts'
import { BROKEN_BODY, MAX_BODY_BYTES } from './endpoint-body.ts'
import type { ClaimClient, EndpointOptions } from './types.ts'

/** Options of {@link createClientTokenEndpoint}. `authenticate` gets the Request. */
export type ClientTokenEndpointOptions = EndpointOptions<Request>

/** Answers a page's request. `ip` is the address of the socket's peer; only `bindIp` needs it. Never rejects. */
export type ClientTokenEndpoint = (
  request: Request,
  connection?: { readonly ip?: string | undefined },
) => Promise<Response>

/**
 * Creates the endpoint from which the pages of your site get their tokens: it claims each token with the credential of the
 * client, which never leaves your server.
 *
 * A 200 has the body `{ token, expiresIn, tokenType, config? }`, with `expiresIn` in seconds from now. Errors are
 * problem+json: 400 malformed body, 401 `authenticate` refused, 403 wrong or missing origin, 405 wrong method, 413 body over
 * 16 KiB, 422 invalid `jkt`, 500 `authenticate` threw or the body was already read, 502 the issuer refused, 503 not
 * configured, issuer rate-limited or unavailable, or address unknown, 504 no answer within 5 s. `onError` gets the reason of
 * every 5xx. Not included: sessions and CSRF tokens, which `authenticate` must check, and rate limits.
 *
 * @throws {TypeError} when an option is unknown or invalid.
 * @example
 * const client = createClaimClient(loadConfig())
 * const endpoint = createClientTokenEndpoint(client, {
 *   clientTokenUri: '/api/client-token',
 *   baseUrl: 'https://api.example.com',
 *   allowedOrigins: ['https://www.example.com'],
 *   authenticate: (request) => isSignedIn(request.headers.get('cookie')),
 * })
 * app.all('/api/client-token', (c) => endpoint(c.req.raw)) // Hono
 * const POST = (request: Request) => endpoint(request) // Next.js: export it from app/api/client-token/route.ts
 * const OPTIONS = POST // export it as well when pages of another origin use the endpoint
 * const worker = {
 *   // Workers: `ip` is needed for the option bindIp
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
      // The body may have asked for a key-bound token. A token without the key would work for anyone who copies it.
      if (request.bodyUsed || request.body?.locked) {
        throw new Error(
          'other code has already read the body; pass a request whose body is unread, such as a clone',
        )
      }
      return readBytes(request.body, MAX_BODY_BYTES).catch(() => BROKEN_BODY)
    },
  }
}
