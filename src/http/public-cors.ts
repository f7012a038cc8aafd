// CORS of public documents (Fetch section 3.2): anybody may read them, in any page.

import type { Cors, CorsHeaders } from '../verify/middleware/cors.ts'

/** Public documents are for every page: no secret is in them and no credential is looked at. */
export const publicCors: Cors = {
  headersFor: (): CorsHeaders => ({ 'access-control-allow-origin': '*' }),
  preflightHeaders: (): CorsHeaders => ({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, HEAD',
    'access-control-allow-headers': '*',
    'access-control-max-age': '7200',
  }),
}
