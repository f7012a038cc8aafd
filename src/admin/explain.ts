// `explain`: why the service refuses a token, or that it accepts it. Builds the request that would present the token,
// passes it to the service's own verifier, and reports the outcome of each verification step. Changes no count and no
// record, and marks no proof as used.

import * as z from 'zod'
import type { ClaimErrorCode } from '../claims/codes.ts'
import type { Policy } from '../claims/enforce.ts'
import { HTTP_TOKEN } from '../claims/input/http-token.ts'
import { type IpAddress, parseAddress, trimBlanks } from '../claims/ip.ts'
import { removeCredentials } from '../http/credential-text.ts'
import { paths } from '../http/paths.ts'
import type { ParameterFault } from '../http/problem.ts'
import { ok, type Result } from '../lib/result.ts'
import type { CompareContext } from '../verify/compare/refusal.ts'
import { explainRequest, type StepOutcome } from '../verify/explain.ts'
import type { Judge, JudgeDeps, Verdict } from '../verify/judge.ts'
import type { RequestLike } from '../verify/request/extract.ts'
import { parseInput } from './input.ts'
import { type AdminPaths, answerJson, readInput } from './json-api.ts'

/**
 * A token, and the request that presents it. Header values are not corrected, because a wrong spelling may be the
 * reason for the refusal.
 */
export interface ExplainInput {
  readonly token: string
  /** Value of the `Origin` header; null: no header. */
  readonly origin: string | null
  /** The client's address; undefined: unknown. */
  readonly address: IpAddress | undefined
  readonly method: string
  /** Undefined: `/auth/whoami` of the service. */
  readonly url: URL | undefined
  /** Value of the `DPoP` header; null: no header. */
  readonly dpop: string | null
}

/** The outcome of a request and of each verification step. */
export interface Explanation {
  readonly allowed: boolean
  /** Code of the step that failed; null when the request is allowed. */
  readonly code: ClaimErrorCode | null
  readonly steps: readonly StepOutcome[]
}

/** The parts of the service's verifier that {@link createExplain} uses. */
export interface ExplainDeps {
  /** Creates judges that enforce every bound. They accept used proofs and mark none as used. */
  readonly createTrialJudge: (rules: Pick<JudgeDeps, 'sources' | 'apiOrigin'>) => Judge
  /** The policy of these judges. */
  readonly policy: Policy
  /** Answers about keys and revocations, for `expected` and `actual`. */
  readonly facts: Pick<CompareContext, 'findAlg' | 'describeRevocation'>
  /** Origin of the issuer's URL. Requests without a `url` go there. */
  readonly serviceOrigin: string
  /** Reads the current time, epoch milliseconds. */
  readonly now: () => number
}

/** Explains a request. Rejects only when the judge rejects. */
export type Explain = (input: ExplainInput) => Promise<Explanation>

/** Longest token and proof, characters: twice what a verifier accepts, so that a token that is too long is explained. */
const MAX_TOKEN_LENGTH = 8192
const MAX_TEXT_LENGTH = 2048
/** Limits the host to 512 characters, because the cost of parsing a host name grows with the square of its length. */
const WEB_URL = /^https?:\/\/[^/?#]{1,512}(?:[/?#]|$)/i

/** What to write instead of a text that is not a URL or method of a request. */
export const URL_ADVICE = 'must be the whole http(s) URL of the request, like https://api.example.com/a'
export const METHOD_ADVICE = 'must be an HTTP method, like GET'

/** One credential in visible ASCII. A comma is not allowed, because it would separate two credentials. */
const ONE_CREDENTIAL = /^(?:Bearer|DPoP) *[!-+\--~]*$/

const schema = z.strictObject({
  token: text(MAX_TOKEN_LENGTH),
  origin: text(MAX_TEXT_LENGTH).nullish(),
  ip: parsedText((given) => parseAddress(given), 'must be one address, like 203.0.113.7 or 2001:db8::1'),
  method: parsedText((given) => (HTTP_TOKEN.test(given) ? given : undefined), METHOD_ADVICE),
  url: parsedText(parseWebUrl, URL_ADVICE),
  dpop: text(MAX_TOKEN_LENGTH).nullish(),
})

/** Checks the JSON of `POST /admin/explain`, or the options of the command line under the same names. */
export function parseExplainInput(value: unknown): Result<ExplainInput, readonly ParameterFault[]> {
  const parsed = parseInput(schema, value)
  if (!parsed.ok) return parsed
  const { token, origin = null, ip, method = 'GET', url, dpop = null } = parsed.value
  return ok({ token, origin, address: ip, method, url, dpop })
}

/** Returns a function that explains requests. It expects a proof to name the origin of the request's own URL. */
export function createExplain(deps: ExplainDeps): Explain {
  const { createTrialJudge, policy, facts, serviceOrigin, now } = deps
  return async (input) => {
    const url = input.url ?? new URL(paths.whoami, serviceOrigin)
    const judge = createTrialJudge({ sources: ['authorization', 'query'], apiOrigin: url.origin })
    const received = { request: presentToken(input, url), address: input.address, now: now() / 1000 }
    const verdict = await judge(received)
    return explainDecision(verdict, {
      received,
      policy,
      apiOrigin: url.origin,
      findAlg: facts.findAlg,
      describeRevocation: facts.describeRevocation,
    })
  }
}

/**
 * The explanation of a verdict. `expected` and `actual` of the failed step hold no token and no account token: where one
 * was pasted into another value, it is replaced.
 */
export async function explainDecision(verdict: Verdict, context: CompareContext): Promise<Explanation> {
  const steps = await explainRequest(verdict, context)
  return {
    allowed: verdict.outcome === 'allow',
    code: verdict.outcome === 'allow' ? null : verdict.reason.code,
    steps: steps.map((step) => ({
      ...step,
      ...(step.expected !== undefined && { expected: removeCredentials(step.expected) }),
      ...(typeof step.actual === 'string' && { actual: removeCredentials(step.actual) }),
    })),
  }
}

/** The path that explains requests through `explain`. */
export function createExplainPaths({ explain }: { readonly explain: Explain }): AdminPaths {
  return {
    '/admin/explain': {
      name: 'admin.explain',
      methods: {
        async POST(context) {
          const input = await readInput(context.request, parseExplainInput)
          if (!input.ok) return context.refuse(input.reason)
          return answerJson(context, 200, await explain(input.value))
        },
      },
    },
  }
}

/**
 * The request of a client that holds this token. With a proof, the token is sent under the `DPoP` scheme, otherwise
 * under `Bearer`; there a key-bound token gives `proof_required`. A text that an `Authorization` header cannot hold is
 * sent in the query, which can hold every character, so that the verifier refuses exactly this text.
 */
function presentToken(
  { token, origin, method, dpop }: ExplainInput,
  { origin: base, pathname }: URL,
): RequestLike {
  const authorization = trimHeader(`${dpop === null ? 'Bearer' : 'DPoP'} ${token}`)
  const isCredential = ONE_CREDENTIAL.test(authorization)
  const headers = new Map([
    ['authorization', isCredential ? authorization : null],
    ['origin', origin === null ? null : trimHeader(origin)],
    ['dpop', dpop === null ? null : trimHeader(dpop)],
  ])
  // The query of the given URL is dropped: a `token` in it would count as a second token, and proofs do not cover it.
  const query = isCredential ? '' : `?${new URLSearchParams({ token })}`
  return {
    method,
    url: `${base}${pathname}${query}`,
    headers: { get: (name) => headers.get(name.toLowerCase()) ?? null },
  }
}

/** The value of a header as HTTP delivers it: without blanks at either end (RFC 9110 section 5.5). */
function trimHeader(value: string): string {
  return trimBlanks(value, true, true)
}

function text(max: number) {
  const message = `must be text of up to ${max} characters`
  return z.string({ error: message }).max(max, message)
}

/** An optional text that `parse` must accept. Undefined when it is absent or null. */
function parsedText<T>(parse: (given: string) => T | undefined, message: string) {
  return z
    .string({ error: message })
    .max(MAX_TEXT_LENGTH, message)
    .nullish()
    .transform((given, context) => {
      if (given === null || given === undefined) return undefined
      const value = parse(given)
      if (value === undefined) context.addIssue({ code: 'custom', message })
      return value
    })
}

/** The http(s) URL that a request is sent to; undefined for every other text. */
export function parseWebUrl(given: string): URL | undefined {
  return WEB_URL.test(given) ? (URL.parse(given) ?? undefined) : undefined
}
