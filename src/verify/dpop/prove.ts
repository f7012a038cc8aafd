// The DPoP proof of a request (RFC 9449 sections 4.3, 7.1 and 11.1): one header, right for this request, never used
// before. That last is judged last: a proof that is wrong in any other way is not used up, and fills no memory.

import { type Reason, refuse } from '../../claims/enforce.ts'
import { after, fail, type MaybePromise, ok, type Result } from '../../lib/result.ts'
import type { RequestLike } from '../extract.ts'
import type { EnforceKey } from '../judge.ts'
import { resolveTarget } from './htu.ts'
import type { ExpectedProof, JudgeProof } from './judge.ts'
import type { UseProof } from './use-proof.ts'

/** What every judgement of a request's proof needs. */
export interface ProofDeps {
  readonly judgeProof: JudgeProof
  readonly useProof: UseProof
}

/** What {@link createProve} needs. */
export interface ProveDeps extends ProofDeps {
  /** Public origin of the API that a request came to; undefined when it is not known, and no proof can be right. */
  readonly apiOrigin: (request: RequestLike) => string | undefined
}

/** Step 8 for a token that is bound to a key and came under the DPoP scheme. */
export function createProve({ apiOrigin, ...deps }: ProveDeps): EnforceKey {
  return ({ request, now }, { token }, { cnf }) => {
    const origin = apiOrigin(request)
    const htu = origin === undefined ? undefined : resolveTarget(origin, request.url)
    // No key has an empty thumbprint: without a binding nothing passes.
    const judging = judgeRequest(deps, request, htu, { accessToken: token, jkt: cnf?.jkt ?? '', now })
    return after(judging, (judged) => (judged.ok ? undefined : judged.reason))
  }
}

/** Judges the proof of a request to the token endpoint at `now`, epoch seconds; gives the thumbprint to bind to. */
export type ProveTokenRequest = (request: RequestLike, now: number) => Promise<Result<string, Reason>>

/**
 * Judges proofs at the token endpoint, where there is no token yet (RFC 9449 section 5). `url` is the endpoint's own.
 * Codes are `proof_required` without a proof, `invalid_proof`, `rate_limited` and `unavailable`. A proof that passes is
 * used up: ask
 * when the client has been authenticated.
 */
export function createTokenEndpointProof(deps: ProofDeps & { readonly url: string }): ProveTokenRequest {
  return async (request, now) =>
    judgeRequest(deps, request, deps.url, { accessToken: undefined, jkt: undefined, now })
}

function judgeRequest(
  { judgeProof, useProof }: ProofDeps,
  request: RequestLike,
  htu: string | undefined,
  expected: Omit<ExpectedProof, 'method' | 'htu'>,
): MaybePromise<Result<string, Reason>> {
  const text = request.headers.get('dpop')
  if (text === null) return NONE
  // Header lines of one name reach us joined by commas, which no proof holds.
  if (text.includes(',')) return SEVERAL
  if (htu === undefined) return NO_TARGET
  return after(judgeProof(text, { ...expected, method: request.method, htu }), (judged) => {
    if (!judged.ok) return fail(invalid(judged.reason))
    const { jkt } = judged.value
    return after(useProof(judged.value, expected.now), (reason) =>
      reason === undefined ? ok(jkt) : fail(reason),
    )
  })
}

function invalid(detail: string): Reason {
  return refuse('key', 'invalid_proof', detail)
}

const NONE = fail(refuse('key', 'proof_required', 'the request has no DPoP proof'))
const SEVERAL = fail(invalid('the request has several DPoP proofs'))
const NO_TARGET = fail(invalid('proofs cannot be judged here: the URL of this API is not known'))
