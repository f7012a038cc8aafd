// A client-token endpoint, whatever server it runs in: one request of a page in, one answer out. The checks in their
// order, first failure wins: method -> origin -> authenticate -> body -> address -> the issuer.

import { resolveClientIp } from '../../claims/client-ip.ts'
import { formatAddress } from '../../claims/ip.ts'
import { isPreflightHead } from '../../claims/preflight.ts'
import { type RequestBody, readThumbprint } from './endpoint-body.ts'
import {
  type EndpointAnswer,
  type EndpointProblem,
  toProblemAnswer,
  unavailable,
} from './endpoint-problem.ts'
import { checkEndpoint, type EndpointRules } from './endpoint-rules.ts'
import { ClaimRequestError } from './error.ts'
import type { ClaimClient, EndpointOptions } from './types.ts'

/** A request of a page. */
export interface Exchange<R> {
  /** As the server knows it, for `authenticate`. */
  readonly request: R
  readonly method: string
  readonly path: string
  /** The socket's peer. */
  readonly peer: string | undefined
  /** A header by its lower-case name; several lines joined by commas. */
  header(name: string): string | null
  /** Rejects when the body was read by somebody else. */
  readBody(): Promise<RequestBody>
}

/** Answers a request. Never rejects. */
export type Endpoint<R> = (exchange: Exchange<R>) => Promise<EndpointAnswer>

/** What a page is not told of a failure. */
type Report = (error: Error) => void

const PREFLIGHT_SECONDS = 7200

/** An endpoint of a client. Throws TypeError. */
export function createEndpoint<R>(client: ClaimClient, options: EndpointOptions<R>): Endpoint<R> {
  const rules = checkEndpoint(client, options)

  return async (exchange) => {
    const requestId = crypto.randomUUID()
    const report: Report = (error) => tell(rules, error, requestId)
    let answer: EndpointAnswer
    try {
      const outcome = await decide(client, rules, exchange, report)
      answer = 'code' in outcome ? toProblemAnswer(outcome, requestId) : outcome
    } catch (error) {
      report(error instanceof Error ? error : new Error('a failure that is no Error', { cause: error }))
      answer = toProblemAnswer(toProblem(error), requestId)
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
      detail: `ask with ${rules.methods.join(' or ')}`,
      headers: { allow },
    }
  }
  const origin = rules.origins.admit({
    method,
    origin: exchange.header('origin'),
    site: exchange.header('sec-fetch-site'),
  })
  if (origin === undefined) return WRONG_ORIGIN
  if (!(await isAdmitted(rules, exchange.request))) return NOBODY
  const jkt = method === 'POST' ? readThumbprint(await exchange.readBody()) : undefined
  if (jkt?.ok === false) return jkt.reason
  const ip = rules.bindIp ? findAddress(rules, exchange) : undefined
  if (rules.bindIp && ip === undefined) {
    report(new Error('bindIp: the address of a visitor is not known; see ip and trustedProxies'))
    return unavailable('the token cannot be bound to your address')
  }

  const startedAt = performance.now()
  const { expiresIn, scope } = rules
  const claimed = await client.claim({ origin, ip, scope, expiresIn, jkt: jkt?.value })
  const seconds = Math.floor(claimed.expiresIn - (performance.now() - startedAt) / 1000)
  const { token, tokenType } = claimed
  const body = { token, expiresIn: seconds, tokenType, config: configOf(client, rules, exchange) }
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

const WRONG_ORIGIN: EndpointProblem = {
  code: 'origin_not_allowed',
  detail: 'tokens are for the pages of this site: the request names no origin, or another one',
}
const NOBODY: EndpointProblem = {
  code: 'unauthorized',
  detail: 'sign in first',
  headers: { 'www-authenticate': 'Bearer' },
}

async function isAdmitted<R>({ authenticate }: EndpointRules<R>, request: R): Promise<boolean> {
  const verdict = authenticate === 'public' ? authenticate : await authenticate(request)
  return verdict === true || verdict === 'public'
}

function findAddress<R>({ trustedProxies }: EndpointRules<R>, exchange: Exchange<R>): string | undefined {
  const address = resolveClientIp(exchange.peer, exchange.header('x-forwarded-for'), trustedProxies)
  return address && formatAddress(address)
}

/** What the page needs to call the API; undefined when it is not to be told. */
function configOf<R>(
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
  if (!isPreflight) return { ...readable, 'access-control-expose-headers': 'Retry-After, X-Request-Id' }
  return {
    ...readable,
    'access-control-allow-methods': rules.methods.join(', '),
    'access-control-allow-headers': 'Content-Type',
    'access-control-max-age': String(PREFLIGHT_SECONDS),
  }
}

/** What the page is told of a failure. An origin that the account does not allow is the page's own matter. */
function toProblem(error: unknown): EndpointProblem {
  if (!(error instanceof ClaimRequestError))
    return { code: 'internal', detail: 'the token could not be made' }
  const { status, code, retryAfter } = error
  if (code === 'origin_not_allowed') return WRONG_ORIGIN
  if (status === 429 || status === 503) return unavailable('tokens cannot be had now; try again', retryAfter)
  if (status === 504)
    return { code: 'gateway_timeout', detail: 'the issuer of tokens did not answer in time' }
  return { code: 'bad_gateway', detail: 'the issuer of tokens gave none; the logs of this site tell why' }
}

/** A fault of the listener is not the request's. */
function tell<R>({ onError = logError }: EndpointRules<R>, error: Error, requestId: string): void {
  try {
    onError(error, requestId)
  } catch {
    // There is nobody else to tell.
  }
}

function logError({ message }: Error, requestId: string): void {
  const line = message.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
  // biome-ignore lint/suspicious/noConsole: the one line of a library without a logger; onError replaces it
  console.error(`claimgate: no client token (request ${requestId}): ${line}`)
}
