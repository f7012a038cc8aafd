// Liveness, readiness and metrics: /healthz shows that the process answers, /readyz that the service can do its work.

import { isTrustedPeer, type TrustedProxies } from '../claims/client-ip.ts'
import { parseAddress } from '../claims/ip.ts'
import { type Handler, NO_STORE, type RequestContext, type Route } from '../http/context.ts'
import type { Metrics } from '../http/metrics.ts'
import { NOT_FOUND } from '../http/problem.ts'
import { isDoneWithin } from '../lib/timing.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import type { Storage } from '../storage/storage.ts'
import type { RevocationRules } from './revocation/rules.ts'

/**
 * State of a dependency: `degraded` when it does not answer and the service works from memory, `failed` when the
 * service cannot work without it.
 */
export type CheckState = 'ok' | 'degraded' | 'failed'

/** Checks one dependency. A check that rejects or takes longer than 3 s counts as `failed`. */
export type Check = () => Promise<CheckState>

/** The checks of /readyz by name. */
export interface Readiness {
  readonly checks: Readonly<Record<string, Check>>
  /** True after SIGTERM: load balancers should send no new requests. */
  readonly isStopping: () => boolean
}

/** How long a check waits for its dependency. Shorter than CHECK_TIMEOUT_MS, so that it can report `degraded`. */
const ANSWER_TIMEOUT_MS = 2000
const CHECK_TIMEOUT_MS = 3000
/** Keys that were read longer ago than this are read again when they are checked. */
const KEYS_AGE_MS = 2000

const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** Answers GET /healthz: always 200, without looking at any dependency. */
export const healthHandler: Handler = (context) => context.answer(200, '{"status":"ok"}', JSON_HEADERS)

/**
 * Answers GET /readyz: 200 `ready`, 200 `degraded` when a check is not `ok` and none has `failed`, 503 `unready`. The
 * body has the outcome of each check: `ok`, or `failed` for every other state.
 */
export function createReadyHandler(readiness: Readiness, metrics: Metrics): Handler {
  return async (context) => {
    const states = await Promise.all(
      Object.entries(readiness.checks).map(async ([name, check]) => {
        const state = await runCheck(check)
        metrics.setUp(name, state === 'ok')
        return [name, state] as const
      }),
    )
    const status = readiness.isStopping() ? 'unready' : summarize(states.map(([, state]) => state))
    const checks = Object.fromEntries(states.map(([name, state]) => [name, state === 'ok' ? 'ok' : 'failed']))
    return context.answer(status === 'unready' ? 503 : 200, JSON.stringify({ status, checks }), JSON_HEADERS)
  }
}

function summarize(states: readonly CheckState[]): 'ready' | 'degraded' | 'unready' {
  if (states.includes('failed')) return 'unready'
  return states.includes('degraded') ? 'degraded' : 'ready'
}

async function runCheck(check: Check): Promise<CheckState> {
  let state: CheckState = 'failed'
  const checking = (async () => {
    state = await check()
  })()
  await isDoneWithin(CHECK_TIMEOUT_MS, checking).catch(() => undefined)
  return state
}

/** Whether a dependency answers within 2 s. Never rejects. */
function isAnswering(ask: () => Promise<unknown>): Promise<boolean> {
  const asking = (async () => {
    await ask()
  })()
  return isDoneWithin(ANSWER_TIMEOUT_MS, asking).catch(() => false)
}

/**
 * Checks the database. Without it, verification goes on with the revocations in memory, so the state is `degraded`; it is
 * `failed` when the revocations were never read.
 */
export function createDatabaseCheck(
  storage: Pick<Storage, 'ping'>,
  rules: Pick<RevocationRules, 'ageMs'>,
): Check {
  return async () => {
    if (await isAnswering(() => storage.ping())) return 'ok'
    return rules.ageMs() === undefined ? 'failed' : 'degraded'
  }
}

/** Checks the signing keys. If they were read more than 2 s ago, it first tries to read them from their store again. */
export function createKeysCheck(keyRing: Pick<KeyRing, 'state' | 'ageMs' | 'refresh'>): Check {
  return async () => {
    if (keyRing.ageMs() > KEYS_AGE_MS) await isAnswering(keyRing.refresh)
    return keyRing.state
  }
}

/** Who may read the metrics. */
export interface MetricsAccess {
  readonly mode: 'loopback' | 'admin' | 'public' | 'off'
  readonly trustedProxies: TrustedProxies
  /** Refuses requests without the admin token; null: no admin token is configured. */
  readonly guard: ((context: RequestContext) => Promise<Response | undefined>) | null
}

/** The route of /metrics, in Prometheus' text format. Requests that may not read it get a 404. */
export function createMetricsRoute(access: MetricsAccess, metrics: Metrics): Route {
  return {
    name: 'metrics',
    headers: NO_STORE,
    guard: (context) => refuseReader(access, context),
    methods: {
      GET: async (context) =>
        context.answer(200, await metrics.render(), {
          'content-type': 'text/plain; version=0.0.4; charset=utf-8',
        }),
    },
  }
}

async function refuseReader(
  { mode, guard, trustedProxies }: MetricsAccess,
  context: RequestContext,
): Promise<Response | undefined> {
  if (mode === 'public') return undefined
  if (mode === 'loopback' && isFromThisMachine(context, trustedProxies)) return undefined
  if (mode === 'admin' && guard !== null) return guard(context)
  return context.refuse(NOT_FOUND)
}

/** Headers that proxies add to the requests that they forward. */
const FORWARDING = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
] as const

/** Whether a request was made on this machine, and not forwarded by a proxy that runs here. */
function isFromThisMachine({ peer, request }: RequestContext, trustedProxies: TrustedProxies): boolean {
  if (!isLoopback(peer) || isTrustedPeer(peer, trustedProxies)) return false
  if (FORWARDING.some((name) => request.headers.has(name))) return false
  const { hostname } = new URL(request.url)
  return hostname === 'localhost' || isLoopback(hostname.replace(/^\[|\]$/g, ''))
}

function isLoopback(peer: string | undefined): boolean {
  const address = peer === undefined ? undefined : parseAddress(peer)
  if (address === undefined) return false
  if (address.family === 4) return address.w3 >>> 24 === 127
  return address.w0 === 0 && address.w1 === 0 && address.w2 === 0 && address.w3 === 1
}
