// The admin API: its guard, and the routes of all subjects behind it, unknown paths below /admin included.

import { addressKey, anonymizeAddress } from '../claims/ip.ts'
import type { Quota } from '../counters/counters.ts'
import { readBearer } from '../http/authorization.ts'
import { type Methods, NO_STORE, type RequestContext, type Route } from '../http/context.ts'
import type { RateLimiter } from '../http/limits.ts'
import type { Logger } from '../http/log.ts'
import type { Metrics } from '../http/metrics.ts'
import { createMinuteLine } from '../http/minute-line.ts'
import { NOT_FOUND, type Problem } from '../http/problem.ts'
import { equalsInConstantTime } from '../signing/secret.ts'
import { createAccountPaths } from './account.ts'
import { createAuditPaths } from './audit.ts'
import { createCredentialPaths } from './credential.ts'
import { createExplainPaths, type Explain } from './explain.ts'
import { createKeyPaths } from './key.ts'
import type { AdminPorts } from './operation.ts'
import { createRevocationPaths } from './revocation.ts'
import { createStatsPaths } from './stats.ts'

/** The dependencies of the admin API. */
export interface AdminApiPorts extends AdminPorts {
  /** Null: no admin token is configured. */
  readonly guard: AdminGuard | null
  /** The configured limit of token lifetimes, seconds. Accounts may only set a lower one. */
  readonly maxTtl: number
  /** Stores the times at which credentials were last used that are so far only in this process's memory. */
  readonly flushUses: () => Promise<void>
  readonly explain: Explain
  readonly metrics: Pick<Metrics, 'readTotals'>
}

/**
 * The routes of /admin by path pattern. The last pattern catches every other path below it. No routes at all without
 * an admin token: /admin then answers like any other unknown path.
 */
export function createAdminRoutes(ports: AdminApiPorts): Readonly<Record<string, Route>> {
  const { guard } = ports
  if (guard === null) return {}
  const subjects = {
    ...createAccountPaths(ports),
    ...createCredentialPaths(ports),
    ...createRevocationPaths(ports),
    ...createKeyPaths(ports),
    ...createAuditPaths(ports),
    ...createStatsPaths(ports),
    ...createExplainPaths(ports),
  }
  const routes = Object.entries(subjects).map(([path, { name, methods }]) => [
    path,
    createRoute(name, methods, guard),
  ])
  return { ...Object.fromEntries(routes), '/admin/*': createRoute('admin', {}, refuseUnknownPaths(guard)) }
}

function createRoute(name: string, methods: Methods, guard: AdminGuard): Route {
  return { name, headers: NO_STORE, isLiteral: true, guard, methods }
}

/** A wrong token gets 401 on unknown paths too, so that nobody can find out which paths exist. */
function refuseUnknownPaths(guard: AdminGuard): AdminGuard {
  return async (context) => (await guard(context)) ?? context.refuse(NOT_FOUND)
}

/** Wrong admin tokens that one address may send before it gets 429. */
export const WRONG_TOKEN_QUOTA: Quota = { requests: 20, seconds: 60 }

/** Resolves to the refusal of a request without the right token, and to undefined for a request that may go on. */
export type AdminGuard = (context: RequestContext) => Promise<Response | undefined>

/** The dependencies of {@link createAdminGuard}. */
export interface AdminGuardDeps {
  /** The token that every request to the admin API must carry. */
  readonly adminToken: string
  /** Counts wrong tokens by client address. */
  readonly limiter: RateLimiter
  /** Called for each refused request, before its refusal. */
  readonly countRefused: () => void
  readonly log: Pick<Logger, 'warn'>
}

const UNAUTHORIZED: Problem = {
  code: 'unauthorized',
  detail: 'the admin token is missing or wrong',
  headers: { 'www-authenticate': 'Bearer' },
}

/**
 * Creates the guard of the admin API, which accepts one bearer token. Wrong tokens are limited by address; the right
 * token is accepted however many wrong ones came from the same address. Create one guard for all paths, so that they
 * share one count of wrong tokens and one log line a minute.
 */
export function createAdminGuard({ adminToken, limiter, countRefused, log }: AdminGuardDeps): AdminGuard {
  const logWrong = createMinuteLine()

  function warn({ address, requestId, now }: RequestContext): void {
    logWrong(now(), (count) =>
      log.warn('wrong admin tokens were sent', {
        requestId,
        count,
        address: address && anonymizeAddress(address),
      }),
    )
  }

  return async (context) => {
    const { headers } = context.request
    if (equalsInConstantTime(adminToken, readBearer(headers) ?? '')) return undefined
    countRefused()
    // A request without a token does not try to guess it, so the limiter does not count it.
    if (!headers.has('authorization')) return context.refuse(UNAUTHORIZED)
    warn(context)
    const { allowed, resetSeconds } = await limiter.consume(addressKey(context.address))
    return context.refuse(allowed ? UNAUTHORIZED : tooManyWrong(resetSeconds))
  }
}

function tooManyWrong(retryAfterSeconds: number): Problem {
  return {
    code: 'rate_limited',
    detail: 'this address sent too many wrong admin tokens; try again later',
    headers: { 'retry-after': String(retryAfterSeconds) },
  }
}
