// Liveness, readiness and metrics. /healthz: the process answers. /readyz: it can do its work.

import { isTrustedPeer, type TrustedProxies } from '../claims/client-ip.ts'
import { parseAddress } from '../claims/ip.ts'
import type { MaybePromise } from '../claims/result.ts'
import { type Handler, NO_STORE, type RequestContext, type Route } from '../http/context.ts'
import type { Metrics } from '../http/metrics.ts'
import { NOT_FOUND } from '../http/problem.ts'
import { isDoneWithin } from '../timing.ts'

/** What readiness asks: each check resolves when its dependency answers. */
export interface Readiness {
  readonly checks: Readonly<Record<string, () => MaybePromise<unknown>>>
  /** True from SIGTERM on: no new work should come here. */
  readonly isStopping: () => boolean
}

/** A check that takes longer than this has failed. */
const CHECK_TIMEOUT_MS = 2000

const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** GET /healthz. */
export const healthHandler: Handler = (context) => context.answer(200, '{"status":"ok"}', JSON_HEADERS)

/** GET /readyz: 200 `ready`, 503 `unready`, with every check's outcome (`ok` or `failed`). */
export function createReadyHandler(readiness: Readiness, metrics: Metrics): Handler {
  return async (context) => {
    const outcomes = await Promise.all(
      Object.entries(readiness.checks).map(async ([name, check]) => {
        const isUp = await answers(check)
        metrics.setUp(name, isUp)
        return [name, isUp ? 'ok' : 'failed'] as const
      }),
    )
    const isReady = !readiness.isStopping() && outcomes.every(([, outcome]) => outcome === 'ok')
    const body = { status: isReady ? 'ready' : 'unready', checks: Object.fromEntries(outcomes) }
    return context.answer(isReady ? 200 : 503, JSON.stringify(body), JSON_HEADERS)
  }
}

async function answers(check: () => MaybePromise<unknown>): Promise<boolean> {
  const asked = (async () => {
    await check()
  })()
  return isDoneWithin(CHECK_TIMEOUT_MS, asked).catch(() => false)
}

/** Who may read the metrics. */
export interface MetricsAccess {
  readonly mode: 'loopback' | 'admin' | 'public' | 'off'
  readonly trustedProxies: TrustedProxies
  /** Refuses all but the administrator; null: no admin token is configured. */
  readonly guard: ((context: RequestContext) => MaybePromise<Response | undefined>) | null
}

/** /metrics, in Prometheus' text format, for whom the configuration says; to all others it is not there. */
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

function refuseReader(
  { mode, guard, trustedProxies }: MetricsAccess,
  context: RequestContext,
): MaybePromise<Response | undefined> {
  if (mode === 'public') return undefined
  if (mode === 'loopback' && isFromThisMachine(context, trustedProxies)) return undefined
  if (mode === 'admin' && guard !== null) return guard(context)
  return context.refuse(NOT_FOUND)
}

/** Headers by which a proxy tells that it passes a request on. */
const FORWARDING = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
] as const

/** Whether a request was made on this machine, and not passed on by a proxy that runs here. */
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
