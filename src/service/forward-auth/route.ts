// Forward auth: a proxy asks for each request whether it may pass (nginx auth_request, Caddy forward_auth, Traefik
// ForwardAuth, Envoy ext_authz). The answer is 200 with claims of the token in headers, or the refusal. It is never 400,
// which proxies treat as a failure of the service. A refusal repeats its body in a header, because nginx drops the body.
// Only trusted proxies may ask about a request other than their own.

import type { ClaimsSet } from '../../claims/claims-set.ts'
import { isTrustedPeer, type TrustedProxies } from '../../claims/client-ip.ts'
import { refuse } from '../../claims/enforce.ts'
import { type HeaderRecord, NO_STORE, type RequestContext, type Route } from '../../http/context.ts'
import type { Logger } from '../../http/log.ts'
import type { Metrics } from '../../http/metrics.ts'
import { paths } from '../../http/paths.ts'
import { type FormatProblem, formatProblem } from '../../http/problem.ts'
import { after, fail, type MaybePromise, ok, type Result } from '../../lib/result.ts'
import { refusalHeaders, toRefusal } from '../../verify/challenge.ts'
import type { Judge, Verdict } from '../../verify/judge.ts'
import { type Cors, isPreflight } from '../../verify/middleware/cors.ts'
import type { RequestLike } from '../../verify/request/extract.ts'
import { describesOriginal, readOriginalRequest } from './question.ts'
import { type JudgeRules, parseRules } from './rules.ts'
import { createUntrustedPeerLog } from './untrusted-peer-log.ts'

/** Settings of forward auth, and the parts of the service that it uses. */
export interface ForwardAuthDeps {
  readonly trustedProxies: TrustedProxies
  /** All audiences of the service's tokens. */
  readonly audience: readonly string[]
  /** Origin of the service's own URL, to which an untrusted peer's own request was sent. */
  readonly serviceOrigin: string
  readonly cors: Cors
  readonly createJudge: (rules: JudgeRules) => Judge
  readonly metrics: Metrics
  readonly log: Logger
}

interface Question {
  readonly request: RequestLike
  readonly rules: JudgeRules
}

/** Size of the cache of parsed options. Operators configure few different ones. */
const MAX_RULES = 100
const MISCONFIGURED = fail(
  'an option of forward auth is unknown or cannot be read; the log of claimgate names it',
)
const UNREADABLE_OPTION = fail('an option of the query is unknown or cannot be read')
const NOT_TRUSTED = fail(
  'only a trusted proxy may ask about another request; the log of claimgate names the setting',
)
/** The header that repeats the body of a refusal, as JSON in ASCII. */
const PROBLEM_HEADER = 'claimgate-problem'

/** Creates the route. It answers every method, because Envoy asks with the client's method. */
export function createForwardAuth(deps: ForwardAuthDeps): Route {
  const { cors, log, audience } = deps
  const reportUntrustedPeer = createUntrustedPeerLog(log)
  const known = new Map<string, Result<JudgeRules, string>>()

  function rulesOf(options: string): Result<JudgeRules, string> {
    const found = known.get(options)
    if (found !== undefined) return found
    const rules = parseRules(options, { isTrusted: true, audience })
    if (!rules.ok) log.warn('forward auth refuses a misconfigured proxy', { reason: rules.reason })
    if (known.size >= MAX_RULES) known.clear()
    known.set(options, rules)
    return rules
  }

  /** The question of an untrusted peer, which may only be about its own request. Options that allow more are ignored. */
  function readOwnQuestion({ request, peer, now }: RequestContext): Result<Question, string> {
    if (describesOriginal(request)) {
      reportUntrustedPeer(peer, now())
      return NOT_TRUSTED
    }
    const { pathname, search } = new URL(request.url)
    const options = pathname === paths.forwardAuth ? search : ''
    const rules = parseRules(options, { isTrusted: false, audience })
    return rules.ok
      ? ok({ request, rules: { ...rules.value, apiOrigin: deps.serviceOrigin } })
      : UNREADABLE_OPTION
  }

  function readQuestion(context: RequestContext): Result<Question, string> {
    const { request, peer } = context
    if (!isTrustedPeer(peer, deps.trustedProxies)) return readOwnQuestion(context)
    const original = readOriginalRequest(request)
    if (!original.ok) return original
    const rules = rulesOf(original.value.options)
    if (!rules.ok) return MISCONFIGURED
    const apiOrigin = rules.value.apiOrigin ?? original.value.apiOrigin
    return ok({ request: original.value.request, rules: { ...rules.value, apiOrigin } })
  }

  function judge(
    { address, now }: RequestContext,
    question: Result<Question, string>,
  ): MaybePromise<Verdict> {
    if (!question.ok) {
      return { outcome: 'deny', reason: refuse('extract', 'invalid_request', question.reason) }
    }
    const { request, rules } = question.value
    return deps.createJudge(rules)({ request, address, now: now() / 1000 })
  }

  function handle(context: RequestContext): MaybePromise<Response> {
    const question = readQuestion(context)
    if (question.ok && isPreflight(question.value.request)) {
      return after(cors.preflightHeaders(question.value.request), (headers) =>
        context.answer(200, null, headers),
      )
    }
    return after(cors.headersFor(context.request), (headers) =>
      after(judge(context, question), (verdict) => {
        deps.metrics.countVerification(
          verdict.outcome,
          verdict.outcome === 'allow' ? '' : verdict.reason.code,
        )
        return answer(context, verdict, headers)
      }),
    )
  }

  return {
    name: 'verify',
    headers: NO_STORE,
    methods: { ALL: handle },
    formatProblem: formatInBodyAndHeader,
  }
}

/** Formats a problem as problem+json, in the body and in a header. Headers are ASCII, so other characters are escaped. */
const formatInBodyAndHeader: FormatProblem = (problem, docs, requestId) => {
  const { status, code, body, headers } = formatProblem(problem, docs, requestId)
  return { status, code, body, headers: { ...headers, [PROBLEM_HEADER]: escapeToAscii(body) } }
}

function escapeToAscii(json: string): string {
  return json.replace(/[^ -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function answer(context: RequestContext, verdict: Verdict, cors: HeaderRecord): Response {
  if (verdict.outcome === 'deny') {
    const refusal = toRefusal(verdict)
    const { status, code, detail } = refusal
    const headers = { ...cors, ...refusalHeaders(refusal) }
    return context.refuse({ code, detail, status: status === 400 ? 401 : status, headers })
  }
  return context.answer(200, null, {
    ...cors,
    ...describeClaims(verdict.parsed.claims),
    ...(verdict.outcome === 'would_block' && { 'claimgate-would-block': verdict.reason.code }),
  })
}

function describeClaims({ sub, client_id, scope, origin }: ClaimsSet): HeaderRecord {
  return {
    'x-claim-subject': sub,
    'x-claim-client': client_id,
    ...(scope !== undefined && { 'x-claim-scope': scope }),
    ...(origin !== undefined && { 'x-claim-origin': origin }),
  }
}
