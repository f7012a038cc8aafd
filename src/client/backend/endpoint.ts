// A client-token endpoint, independent of the server that it runs in. It checks a request in this order, and the first check
// that fails decides the answer: method, origin, authenticate, body, address, issuer.

import { resolveClientIp } from '../../claims/client-ip.ts'
import { formatAddress } from '../../claims/ip.ts'
import { isPreflightHead } from '../../claims/preflight.ts'
import { describeThrower } from '../../lib/thrown.ts'
import { type RequestBody, readThumbprint } from './endpoint-body.ts'
import {
  type EndpointAnswer,
  type EndpointProblem,
  formatEndpointProblem,
  unavailable,
} from './endpoint-problem.ts'
import { checkEndpoint, type EndpointRules } from './endpoint-rules.ts'
import { ClaimRequestError } from './error.ts'
import type { ClaimClient, EndpointOptions, ErrorContext } from './types.ts'

/** A request of a page, as an adapter reads it from its server. */
export interface Exchange<R> {
  /** The server's own request object: `authenticate` gets it. */
  readonly request: R
  readonly method: string
  readonly path: string
  /** Address of the socket's peer. */
  readonly peer: string | undefined
  /** A header by its lower-case name; repeated ones are joined by commas. */
  header(name: string): string | null
  /** Rejects when other code has already read the body. */
  readBody(): Promise<RequestBody>
}

/** Answers a request. Never rejects. */
export type Endpoint<R> = (exchange: Exchange<R>) => Promise<EndpointAnswer>

/** Passes the reason of a failure to `onError`. */
type Report = (error: Error) => void

const PREFLIGHT_SECONDS = 7200

/**
 * Creates the endpoint of a client. Throws a TypeError when an option is unknown or invalid. When the client has no issuer or
 * no credential, `onError` is told so immediately, and every page that may have a token gets 503.
 */
export function createEndpoint<R>(client: ClaimClient, options: EndpointOptions<R>): Endpoint<R> {
  const rules = checkEndpoint(client, options)
  const { issuer, notConfigured } = client
  if (notConfigured !== undefined) {
    void reportError(rules, new ClaimRequestError('unavailable', 503, notConfigured), {})
  }

  return async (exchange) => {
    const requestId = crypto.randomUUID()
    const report: Report = (error) => void reportError(rules, error, { requestId })
    let answer: EndpointAnswer
    try {
      const outcome = await decide(client, rules, exchange, report)
      answer = 'code' in outcome ? formatEndpointProblem(outcome, requestId, issuer) : outcome
    } catch (error) {
      report(error instanceof Error ? error : thrownBy('claim of the client', error))
      answer = formatEndpointProblem(toProblem(error), requestId, issuer)
    }
    const common = { vary: 'Origin', 'cache-control': 'no-store', 'x-request-id': requestId }
    const cors = corsHeaders(rules, exchange)
    return { ...answer, headers: { ...common, ...cors, ...answer.headers } }
  }
}

async function decide<R>(
  client: ClaimClient,
  rules: EndpointRules<R>,
  exchange: Exchange<R>,
  report: Report,
): Promise<EndpointAnswer | EndpointProblem> {
  const { method } = exchange
  const allow = [...rules.methods, 'OPTIONS'].join(', ')
  if (method === 'OPTIONS') return { status: 204, headers: { allow }, body: null }
  if (!rules.methods.includes(method)) {
    return {
      code: 'method_not_allowed',
      detail: `use ${rules.methods.join(' or ')}`,
      headers: { allow },
    }
  }
  const sent = exchange.header('origin')
  const origin = rules.origins.findOrigin({ method, origin: sent, site: exchange.header('sec-fetch-site') })
  if (origin === undefined) return sent === null ? NO_ORIGIN : WRONG_ORIGIN
  if (!(await isAdmitted(rules, exchange.request))) return NOT_SIGNED_IN
  const jkt = method === 'POST' ? readThumbprint(await exchange.readBody()) : undefined
  if (jkt?.ok === false) return jkt.reason
  const ip = rules.bindIp ? findAddress(rules, exchange) : undefined
  if (rules.bindIp && ip === undefined) {
    report(new Error('bindIp: the address of the visitor is unknown; check ip and trustedProxies'))
    return unavailable('the token cannot be bound to your address')
  }

  if (client.notConfigured !== undefined) return NOT_CONFIGURED
  const startedAt = performance.now()
  const { expiresIn, scope } = rules
  const claimed = await client.claim({ origin, ip, scope, expiresIn, jkt: jkt?.value })
  const seconds = Math.floor(claimed.expiresIn - (performance.now() - startedAt) / 1000)
  const { token, tokenType } = claimed
  const body = { token, expiresIn: seconds, tokenType, config: createConfig(client, rules, exchange) }
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

const WRONG_ORIGIN: EndpointProblem = {
  code: 'origin_not_allowed',
  detail:
    'pages of this origin get no token: their origin is not among the allowedOrigins of this endpoint; without that list, only pages of its own origin get one',
}
const REFUSED_BY_ISSUER: EndpointProblem = {
  code: 'origin_not_allowed',
  detail: 'pages of this origin get no token: ask the API provider to add their origin to the account',
}
const NO_ORIGIN: EndpointProblem = {
  code: 'origin_required',
  detail:
    'this request has no Origin header, so it names no page: browsers send one with POST; for GET from pages of this site, the endpoint needs its option origin',
}
const UNAVAILABLE = 'no token is available now; try again later'
const NOT_CONFIGURED = unavailable(UNAVAILABLE)
const NOT_SIGNED_IN: EndpointProblem = {
  code: 'unauthorized',
  detail: 'sign in first',
  headers: { 'www-authenticate': 'Bearer' },
}

async function isAdmitted<R>({ authenticate }: EndpointRules<R>, request: R): Promise<boolean> {
  if (authenticate === 'public') return true
  try {
    const admitted = await authenticate(request)
    return admitted === true || admitted === 'public'
  } catch (thrown) {
    throw thrownBy('authenticate', thrown)
  }
}

function thrownBy(name: string, cause: unknown): Error {
  return new Error(describeThrower(name, cause), { cause })
}

function findAddress<R>({ trustedProxies }: EndpointRules<R>, exchange: Exchange<R>): string | undefined {
  const address = resolveClientIp(exchange.peer, exchange.header('x-forwarded-for'), trustedProxies)
  return address && formatAddress(address)
}

/** The `config` of a 200: what the page needs to call the API. Undefined with `includeConfig: false`. */
function createConfig<R>(
  { issuer, clientId }: ClaimClient,
  { baseUrl, clientTokenUri }: EndpointRules<R>,
  { path }: Exchange<R>,
): object | undefined {
  return baseUrl === undefined
    ? undefined
    : { baseUrl, issuer, clientId, clientTokenUri: clientTokenUri ?? path }
}

function corsHeaders<R>(rules: EndpointRules<R>, exchange: Exchange<R>): Readonly<Record<string, string>> {
  const origin = exchange.header('origin')
  if (origin === null || !rules.origins.canRead(origin)) return {}
  const readable = { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' }
  const requestMethod = exchange.header('access-control-request-method')
  const isPreflight = isPreflightHead({ method: exchange.method, origin, requestMethod })
  if (!isPreflight) return { ...readable, 'access-control-expose-headers': rules.exposeHeaders }
  return {
    ...readable,
    'access-control-allow-methods': rules.methods.join(', '),
    'access-control-allow-headers': rules.allowHeaders,
    'access-control-max-age': String(PREFLIGHT_SECONDS),
  }
}

/** The answer to the page after a failure. Of the issuer's codes, it shows only `origin_not_allowed`. */
function toProblem(error: unknown): EndpointProblem {
  if (!(error instanceof ClaimRequestError)) {
    return { code: 'internal', detail: 'the endpoint failed; the log of this site has the reason' }
  }
  const { status, code, retryAfter } = error
  if (code === 'origin_not_allowed') return REFUSED_BY_ISSUER
  if (status === 429 || status === 503) {
    return unavailable(UNAVAILABLE, retryAfter)
  }
  if (status === 504) {
    return { code: 'gateway_timeout', detail: 'the token issuer did not answer in time' }
  }
  return {
    code: 'bad_gateway',
    detail: 'the token issuer gave no token; the log of this site has the reason',
  }
}

/** Calls `onError`. Ignores its exceptions and rejections, which must neither change the answer nor end the process. */
async function reportError<R>(
  { onError = logError }: EndpointRules<R>,
  error: Error,
  context: ErrorContext,
): Promise<void> {
  try {
    await onError(error, context)
  } catch {
    // Ignored: there is no other place to report it.
  }
}

function logError({ message }: Error, { requestId }: ErrorContext): void {
  const line = message.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
  const place =
    requestId === undefined ? 'the client-token endpoint' : `no client token (request ${requestId})`
  // biome-ignore lint/suspicious/noConsole: the default of a library that has no logger; onError replaces it
  console.error(`claimgate: ${place}: ${line}`)
}
