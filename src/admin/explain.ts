// `explain`: why a token is refused, or that it is not. Builds the request that would present it and has the
// verifier's own judge decide, step by step. Counts nothing, remembers nothing, changes no record.

import type { ClaimErrorCode } from '../claims/codes.ts'
import type { Policy } from '../claims/enforce.ts'
import { trimBlanks } from '../claims/ip.ts'
import type { Handler } from '../http/context.ts'
import { paths } from '../http/paths.ts'
import { explainVerdict, type StepOutcome } from '../verify/explain.ts'
import type { RequestLike } from '../verify/extract.ts'
import type { Judge, JudgeDeps } from '../verify/judge.ts'
import { answerJson, readInput } from './exchange.ts'
import { type ExplainInput, parseExplainInput } from './explain-input.ts'

/** What became of a request, and of each step on the way. */
export interface Explanation {
  readonly allowed: boolean
  /** Null when allowed. */
  readonly code: ClaimErrorCode | null
  readonly steps: readonly StepOutcome[]
}

/** What explaining needs. */
export interface ExplainDeps {
  /** A judge that enforces every bound. Its key step must not remember proofs: they may be used afterwards. */
  readonly createJudge: (rules: Pick<JudgeDeps, 'sources' | 'apiOrigin'>) => Judge
  /** What that judge demands of every token. */
  readonly policy: Policy
  /** Origin of the service itself. */
  readonly serviceOrigin: string
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** Explains a request. Rejects only when the judge does. */
export type Explain = (input: ExplainInput) => Promise<Explanation>

/** Explaining by these judges; proofs must be for the origin of the request's URL. */
export function createExplain({ createJudge, policy, serviceOrigin, now }: ExplainDeps): Explain {
  return async (input) => {
    const url = input.url ?? new URL(paths.whoami, serviceOrigin)
    const judge = createJudge({ sources: ['authorization', 'query'], apiOrigin: url.origin })
    const request = presentToken(input, url)
    const verdict = await judge({ request, address: input.address, now: now() / 1000 })
    return {
      allowed: verdict.outcome === 'allow',
      code: verdict.outcome === 'allow' ? null : verdict.reason.code,
      steps: explainVerdict(verdict, policy),
    }
  }
}

/** One credential in visible ASCII. A comma would make it two. */
const ONE_CREDENTIAL = /^(?:Bearer|DPoP) *[!-+\--~]*$/

/**
 * The request of a client that has this token: as DPoP where it brings a proof, else as Bearer, a key-bound token too
 * (that is `proof_required`). A text that no such header holds is no token; it comes by the query, where every
 * character arrives, so that the verifier sees what was asked about.
 */
function presentToken(
  { token, origin, method, dpop }: ExplainInput,
  { origin: base, pathname }: URL,
): RequestLike {
  const authorization = toHeader(`${dpop === null ? 'Bearer' : 'DPoP'} ${token}`)
  const isCredential = ONE_CREDENTIAL.test(authorization)
  const headers = new Map([
    ['authorization', isCredential ? authorization : null],
    ['origin', origin === null ? null : toHeader(origin)],
    ['dpop', dpop === null ? null : toHeader(dpop)],
  ])
  // The query of the URL itself bears on no step.
  const query = isCredential ? '' : `?${new URLSearchParams({ token })}`
  return {
    method,
    url: `${base}${pathname}${query}`,
    headers: { get: (name) => headers.get(name.toLowerCase()) ?? null },
  }
}

/** A header's value as HTTP hands it on: without the blanks around it (RFC 9110 section 5.5). */
function toHeader(text: string): string {
  return trimBlanks(text, true, true)
}

/** The handler of `POST /admin/explain`. */
export function createExplainHandler(explain: Explain): Handler {
  return async (context) => {
    const input = await readInput(context.request, parseExplainInput)
    if (!input.ok) return context.refuse(input.reason)
    return answerJson(context, 200, await explain(input.value))
  }
}
