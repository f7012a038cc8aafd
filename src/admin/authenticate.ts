// The guard of /admin: one long bearer token from the configuration. Before it, nothing under /admin answers;
// without one configured, /admin is not there at all.

import type { RequestContext } from '../http/context.ts'
import { equalsInConstantTime } from '../signing/secret.ts'

/** Gives the refusal of a request without the right token, undefined when it may go on. */
export function createAdminGuard(
  adminToken: string | null,
): (context: RequestContext) => Response | undefined {
  return (context) => {
    if (adminToken === null)
      return context.refuse({ code: 'not_found', detail: 'there is nothing at this path' })
    const given = /^Bearer +(.+)$/i.exec(context.request.headers.get('authorization') ?? '')?.[1] ?? ''
    if (equalsInConstantTime(adminToken, given)) return undefined
    return context.refuse({
      code: 'unauthorized',
      detail: 'the admin token is missing or wrong',
      headers: { 'www-authenticate': 'Bearer' },
    })
  }
}
