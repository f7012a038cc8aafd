// The audit log: one entry for each change, and the listing of entries.

import type { AuditAction, AuditEntry } from '../claims/records/account.ts'
import { invalidParameters } from '../http/problem.ts'
import { orderedBase62 } from '../lib/random.ts'
import { formatTime } from '../lib/time.ts'
import type { Storage } from '../storage/storage.ts'
import { type AdminPaths, answerJson } from './json-api.ts'
import { AUDIT_ID, cutPage, parsePage } from './page.ts'

/** Who makes a change: a caller of the admin API, or a user of the command line. */
export type Actor = 'admin' | 'cli'

/** An audit entry as JSON, its time in ISO 8601. */
export type WireAudit = Omit<AuditEntry, 'at'> & { readonly at: string }

/** A new audit entry. `now` is epoch milliseconds; `detail` must hold no secret. */
export function createAuditEntry(
  actor: Actor,
  action: AuditAction,
  target: string,
  now: number,
  detail: AuditEntry['detail'] = null,
): AuditEntry {
  return { id: orderedBase62(), at: now, actor, action, target, detail }
}

/** An audit entry as the admin API and the command line show it. */
export function toWireAudit({ id, at, actor, action, target, detail }: AuditEntry): WireAudit {
  return { id, at: formatTime(at), actor, action, target, detail }
}

/** The path of the audit log: its entries page by page, newest first. */
export function createAuditPaths({ storage }: { readonly storage: Pick<Storage, 'listAudit'> }): AdminPaths {
  return {
    '/admin/audit': {
      name: 'admin.audit',
      methods: {
        async GET(context) {
          const asked = parsePage(context.request.url, AUDIT_ID)
          if (!asked.ok) return context.refuse(invalidParameters(asked.reason))
          const { after, limit } = asked.value
          const records = await storage.listAudit(after, limit + 1)
          const { page, nextCursor } = cutPage(records, limit, (entry) => entry.at)
          return answerJson(context, 200, { entries: page.map(toWireAudit), nextCursor })
        },
      },
    },
  }
}
