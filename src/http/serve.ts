// Runs a route for a request and adds what all routes have in common: a request id, CORS, error answers, metrics and the
// log line. Independent of Hono: the caller passes the request and the address of the socket's peer.

import { type ForwardedHeader, resolveClientIp, type TrustedProxies } from '../claims/client-ip.ts'
import { anonymizeAddress } from '../claims/ip.ts'
import { randomBase62 } from '../lib/random.ts'
import { SigningKeysError } from '../signing/errors.ts'
import { StorageError } from '../storage/errors.ts'
import { isPreflight, isReadable } from '../verify/middleware/cors.ts'
import { AbortedBodyError, SlowBodyError } from './body.ts'
import {
  type Handler,
  type HeaderRecord,
  type Methods,
  NOWHERE,
  type RequestContext,
  type Route,
} from './context.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import { formatProblem, type Problem, unavailable } from './problem.ts'

/** Settings and sinks that all routes share. */
export interface ServeDeps {
  /** URL of the page that explains the error codes; a code is a fragment of it. */
  readonly docs: string
  readonly trustedProxies: TrustedProxies
  readonly forwardedHeader: ForwardedHeader
  /** The current time, epoch milliseconds. */
  readonly now: () => number
  readonly log: Logger
  readonly metrics: Metrics
  /** Whether to log one line for each request, at level debug. */
  readonly logsRequests: boolean
}

/** Answers a request with a route. Never rejects. `peer` is the address of the socket's peer. */
export type Serve = (
  route: Route,
  request: Request,
  peer: string | undefined,
  params?: Readonly<Record<string, string>>,
  /** The request target exactly as it was sent. Default: path and query of the request's URL. */
  target?: string,
) => Promise<Response>

const NO_PARAMS = {}

/** A target in origin form (RFC 9112 section 3.2.1) without percent-encoding in its path. */
const LITERAL = /^\/[\w.~/-]*(?:\?[^#]*)?$/

/** Path, query and fragment of a URL. */
function targetOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  return start < 0 ? '/' : url.slice(start)
}

/** Creates the function that runs every route. */
export function createServe(deps: ServeDeps): Serve {
  return async (matched, request, peer, params = NO_PARAMS, target = targetOf(request.url)) => {
    const route =
      matched.isLiteral && !LITERAL.test(target) ? { ...NOWHERE, headers: matched.headers ?? {} } : matched
    const address = resolveClientIp(
      peer,
      request.headers.get(deps.forwardedHeader),
      deps.trustedProxies,
      deps.forwardedHeader,
    )
    const requestId = randomBase62(16)
    const facts = { request, requestId, now: deps.now, peer, address, params }
    const startedAt = performance.now()
    const response = await run(deps, route, facts)
    const milliseconds = performance.now() - startedAt
    deps.metrics.observeRequest(route.name, response.status, milliseconds / 1000)
    if (deps.logsRequests) {
      deps.log.debug('request', {
        requestId,
        method: request.method,
        route: route.name,
        status: response.status,
        durationMs: milliseconds,
        ...(address && { address: anonymizeAddress(address) }),
      })
    }
    return response
  }
}

/** The 408 also closes the connection, because the rest of the body may still arrive on it. */
const BODY_TOO_SLOW: Problem = {
  code: 'request_timeout',
  detail: 'the body did not arrive within 30 seconds',
  headers: { connection: 'close' },
}

/** Not logged here for each request, because upkeep logs once that there is no key. */
const NO_KEYS = unavailable('the service has no signing key that it may use; try again shortly')

type Facts = Omit<RequestContext, 'answer' | 'refuse'>

async function run(deps: ServeDeps, route: Route, facts: Facts): Promise<Response> {
  let context = createContext(deps, route, facts)
  try {
    if (route.cors === undefined) {
      if (route.onDeniedPreflight !== undefined && isPreflight(facts.request))
        route.onDeniedPreflight(context)
    } else {
      if (isPreflight(facts.request)) {
        const headers = await route.cors.preflightHeaders(facts.request)
        if (!isReadable(headers)) route.onDeniedPreflight?.(context)
        return context.answer(204, null, headers)
      }
      const cors = route.cors.headersFor(facts.request)
      context = createContext(deps, route, facts, cors instanceof Promise ? await cors : cors)
    }
    const guarding = route.guard?.(context)
    const stopped = guarding instanceof Promise ? await guarding : guarding
    if (stopped !== undefined) return stopped
    const answered = pickHandler(route.methods, facts.request.method)(context)
    return answered instanceof Promise ? await answered : answered
  } catch (error) {
    if (error instanceof SlowBodyError) return context.refuse(BODY_TOO_SLOW)
    if (error instanceof AbortedBodyError) {
      return context.refuse({ code: 'invalid_request', detail: 'the body ended early' })
    }
    if (error instanceof SigningKeysError) return context.refuse(NO_KEYS)
    deps.log.error('a request failed', { requestId: facts.requestId, route: route.name, error })
    return context.refuse(
      error instanceof StorageError
        ? unavailable('the service cannot read its database; try again shortly')
        : { code: 'internal', detail: 'the service failed; its log has the reason under this request id' },
    )
  }
}

function createContext(
  { docs, metrics }: ServeDeps,
  route: Route,
  facts: Facts,
  cors?: HeaderRecord,
): RequestContext {
  const { requestId } = facts
  const answer: RequestContext['answer'] = (status, body, headers) =>
    new Response(body, {
      status,
      headers: { ...route.headers, ...cors, ...headers, 'x-request-id': requestId },
    })
  return {
    ...facts,
    answer,
    refuse: (problem) => {
      const { status, code, body, headers } = (route.formatProblem ?? formatProblem)(problem, docs, requestId)
      if (route.countsRefusals) metrics.countRefused(route.name, code)
      return answer(status, body, headers)
    },
  }
}

/** The handler of a method. Without one: for OPTIONS a 204 that lists the methods, else 405. */
function pickHandler(methods: Methods, method: string): Handler {
  const wanted = method === 'HEAD' ? 'GET' : method
  const handler = Object.hasOwn(methods, wanted) ? methods[wanted as keyof Methods] : undefined
  if (handler !== undefined && wanted !== 'ALL') return handler
  if (methods.ALL !== undefined) return methods.ALL
  const allow = allowedMethods(methods)
  if (method === 'OPTIONS') return (context) => context.answer(204, null, { allow })
  const detail = `this path takes ${Object.keys(methods).join(' or ')} only`
  return (context) => context.refuse({ code: 'method_not_allowed', detail, headers: { allow } })
}

function allowedMethods(methods: Methods): string {
  const names = Object.keys(methods)
  if (names.includes('GET')) names.push('HEAD')
  return [...names, 'OPTIONS'].join(', ')
}
