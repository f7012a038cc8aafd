// CORS for documents that every page may read, such as the JWK Set (Fetch section 3.2).

import type { Cors, CorsHeaders } from '../verify/middleware/cors.ts'

/** Lets pages of every origin read the answers. Use it only for routes that return no secret and ignore credentials. */
export const publicCors: Cors = {
  headersFor: (): CorsHeaders => ({ 'access-control-allow-origin': '*' }),
  preflightHeaders: (): CorsHeaders => ({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, HEAD',
    'access-control-allow-headers': '*',
    'access-control-max-age': '7200',
  }),
}
