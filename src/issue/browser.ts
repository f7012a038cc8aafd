// A secret that came from a browser: counted always, and put on record with the credential's id when it is right.

import type { AuditEntry } from '../claims/account.ts'
import { AbortedBodyError, SlowBodyError } from '../http/body.ts'
import type { RequestContext } from '../http/context.ts'
import type { RateLimiter } from '../http/limits.ts'
import type { Logger } from '../http/log.ts'
import type { Problem } from '../http/problem.ts'
import { orderedBase62 } from '../lib/random.ts'
import { isDoneWithin } from '../lib/timing.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import type { Authenticate } from './authenticate.ts'

/** Whether a browser sent this, by headers that only browsers send (`Sec-Fetch-Mode` proves nothing: Node sends it). */
export function isFromBrowser(headers: Headers): boolean {
  return headers.has('origin') || headers.has('sec-fetch-site')
}

/** The refusal of a browser. The endpoints are for backends, so a browser there means that a page contains a secret. */
export const SECRET_IN_BROWSER: Problem = {
  code: 'secret_in_browser',
  detail: 'this endpoint is for backends: a secret must not be in a page. Ask for the token on your server',
}

/** The endpoints that issue tokens. */
export type IssuingEndpoint = 'claim' | 'oauth' | 'multiset' | 'aifabrix'

/** Takes note of a browser at `endpoint`. `readPair` gives the pair that was sent, if one can be read. Never rejects. */
export type ReportBrowser = (
  endpoint: IssuingEndpoint,
  context: RequestContext,
  readPair: () => Promise<ClientSecret | undefined>,
) => Promise<void>

/** What reporting needs. */
export interface ReportDeps {
  readonly storage: Pick<Storage, 'appendAudit'>
  readonly authenticate: Authenticate
  readonly count: (endpoint: IssuingEndpoint) => void
  /** Bounds the audit entries of one credential: a page with a secret in it may have many visitors. */
  readonly limiter: RateLimiter
  readonly log: Logger
}

/** Reporting to this store. */
export function createReportBrowser(deps: ReportDeps): ReportBrowser {
  return async (endpoint, context, readPair) => {
    deps.count(endpoint)
    try {
      const found = await deps.authenticate(await readInTime(readPair), context.now())
      if (found === undefined) return
      const { id, accountId } = found.credential
      deps.log.warn('a secret was used from a browser', { requestId: context.requestId, credential: id })
      const { allowed } = await deps.limiter.consume(id)
      if (allowed) await deps.storage.appendAudit(auditEntry(endpoint, context.now(), id, accountId))
    } catch (error) {
      // The refusal must go out whatever becomes of its record.
      deps.log.error('a secret in a browser could not be recorded', { requestId: context.requestId, error })
    }
  }
}

/** A body may never end; the refusal waits for it only so long. */
const READ_MS = 250

async function readInTime(
  readPair: () => Promise<ClientSecret | undefined>,
): Promise<ClientSecret | undefined> {
  let pair: ClientSecret | undefined
  const reading = readPair().then(
    (read) => {
      pair = read
    },
    (error: unknown) => {
      // A body that did not come whole holds no pair.
      if (!(error instanceof AbortedBodyError || error instanceof SlowBodyError)) throw error
    },
  )
  await isDoneWithin(READ_MS, reading)
  return pair
}

function auditEntry(
  endpoint: IssuingEndpoint,
  now: number,
  credentialId: string,
  accountId: string,
): AuditEntry {
  return {
    id: orderedBase62(),
    at: now,
    actor: 'system',
    action: 'secret_in_browser',
    target: credentialId,
    detail: { door: endpoint, account: accountId },
  }
}
