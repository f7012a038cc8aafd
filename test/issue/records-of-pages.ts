// What a service has recorded about secrets in pages: the metric of an endpoint, and the audit entries.

import { ADMIN_TOKEN } from '../support/server.ts'
import type { Json, Target } from '../support/wire.ts'

/** How many requests of pages an endpoint has counted. */
export async function readCount({ send }: Target, endpoint: string): Promise<number> {
  const { text } = await send({ method: 'GET', path: '/metrics' })
  const line = new RegExp(`^claimgate_secret_in_browser_total\\{door="${endpoint}"\\} (\\d+)$`, 'm').exec(
    text,
  )
  return Number(line?.[1] ?? 0)
}

/** Entries that name a credential found in a page, newest first. */
export async function readAudit({ send }: Target): Promise<readonly Json[]> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` }
  const answer = await send({ method: 'GET', path: '/admin/audit?limit=200', headers })
  return answer.json().entries.filter(({ action }: Json) => action === 'secret_in_browser')
}
