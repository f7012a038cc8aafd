// Requests of browsers at issuing endpoints: each is counted. If its secret is right, an audit entry names the credential.
// A preflight is counted too: it gets no permission, so the browser never sends the request with the secret.

import type { AuditEntry } from '../claims/records/account.ts'
import { AbortedBodyError, SlowBodyError } from '../http/body.ts'
import type { RequestContext } from '../http/context.ts'
import type { RateLimiter } from '../http/limits.ts'
import type { Logger } from '../http/log.ts'
import { createMinuteLine } from '../http/minute-line.ts'
import type { Problem } from '../http/problem.ts'
import { orderedBase62 } from '../lib/random.ts'
import { isDoneWithin } from '../lib/timing.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import type { Authenticate } from './authenticate.ts'

/** Whether a browser sent the request. Does not check `Sec-Fetch-Mode`, which Node's own `fetch` sends too. */
export function isFromBrowser(headers: Headers): boolean {
  return headers.has('origin') || headers.has('sec-fetch-site')
}

/** The refusal of a browser. The endpoints are for backends, so a browser there means that a page contains a secret. */
export const SECRET_IN_BROWSER: Problem = {
  code: 'secret_in_browser',
  detail: 'this endpoint is for backends: a secret must not be in a page. Ask for the token on your server',
}

/** The endpoints that issue tokens. */
export const issuingEndpoints = ['claim', 'oauth', 'multiset', 'aifabrix'] as const
export type IssuingEndpoint = (typeof issuingEndpoints)[number]

/**
 * Counts a request of a browser at `endpoint`, and audits it when its secret is right. `readPair` reads the client id and
 * secret of the request; it may reject. The result never rejects.
 */
export type ReportBrowser = (
  endpoint: IssuingEndpoint,
  context: RequestContext,
  readPair: () => Promise<ClientSecret | undefined>,
) => Promise<void>

export interface ReportDeps {
  readonly storage: Pick<Storage, 'appendAudit'>
  readonly authenticate: Authenticate
  readonly count: (endpoint: IssuingEndpoint) => void
  /** Limits the audit entries of one credential: a page that contains a secret may have many visitors. */
  readonly limiter: RateLimiter
  readonly log: Logger
}

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
      // The caller is refused even when the report fails.
      deps.log.error('the use of a secret from a browser could not be reported', {
        requestId: context.requestId,
        error,
      })
    }
  }
}

/** Counts a preflight that gets no permission at `endpoint`. Logs at most one line a minute for all endpoints together. */
export type ReportPreflight = (endpoint: IssuingEndpoint, context: RequestContext) => void

/** Longest origin in a log line, characters. A longer one cannot be that of an account. */
const MAX_ORIGIN_LENGTH = 300

/** Creates the report of preflights. Its line has the first origin and endpoint since the last line, and the number. */
export function createReportPreflight({ count, log }: Pick<ReportDeps, 'count' | 'log'>): ReportPreflight {
  const writeOncePerMinute = createMinuteLine()
  let first: { readonly route: IssuingEndpoint; readonly origin: string } | undefined
  return (endpoint, context) => {
    count(endpoint)
    const origin = context.request.headers.get('origin') ?? ''
    first ??= { route: endpoint, origin: origin.slice(0, MAX_ORIGIN_LENGTH) }
    const fields = first
    writeOncePerMinute(context.now(), (preflights) => {
      log.warn(
        'a page tried to use a secret, and its browser got no permission: claim tokens on a server, and replace the secret if it is in the page',
        {
          route: fields.route,
          origin: fields.origin,
          count: preflights,
        },
      )
      first = undefined
    })
  }
}

/** Longest wait for the body, milliseconds: the caller may never send the rest. */
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
      // An incomplete body is the caller's fault, so it must not be logged as an error.
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
