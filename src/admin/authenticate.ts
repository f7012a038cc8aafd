// The guard of /admin: one long bearer token from the configuration. Before it, nothing under /admin answers.

import { readBearer } from '../http/bearer.ts'
import type { RequestContext } from '../http/context.ts'
import { equalsInConstantTime } from '../signing/secret.ts'

/** Gives the refusal of a request without the right token, undefined when it may go on. */
export function createAdminGuard(adminToken: string): (context: RequestContext) => Response | undefined {
  return (context) => {
    if (equalsInConstantTime(adminToken, readBearer(context.request.headers) ?? '')) return undefined
    return context.refuse({
      code: 'unauthorized',
      detail: 'the admin token is missing or wrong',
      headers: { 'www-authenticate': 'Bearer' },
    })
  }
}
