// Step 8 of verification: the client holds the key that the token is bound to (RFC 9449 sections 4.3, 7.1 and 11.1).
// Single use is checked last, so that a proof with any other fault is not recorded.

import { type Policy, type Reason, refuse } from '../../claims/enforce.ts'
import { after, fail, type MaybePromise, ok, type Result } from '../../lib/result.ts'
import type { EnforceKey, ReceivedRequest } from '../judge.ts'
import type { RequestLike } from '../request/extract.ts'
import { resolveTarget } from './htu.ts'
import type { UseProof } from './use-proof.ts'
import type { ExpectedProof, VerifyProof } from './verify-proof.ts'

/** The two checks of a proof: that it is valid, and that it was not used before. */
export interface ProofChecks {
  readonly verifyProof: VerifyProof
  readonly useProof: UseProof
}

/** Options of {@link createEnforceKey}; `require` lists the bindings that every token must have. */
export interface EnforceKeyOptions extends ProofChecks, Pick<Policy, 'require'> {
  /** Public origin of the API that the request was sent to; undefined if unknown, and then every proof is refused. */
  readonly apiOrigin: (request: RequestLike) => string | undefined
  /** Called for a key-bound token while the API's origin is unknown; returns the `detail` of its refusal. */
  readonly onUnknownApi?: (received: ReceivedRequest) => string
}

/**
 * Creates step 8. A key-bound token needs the scheme `DPoP` and a valid proof; a token without `cnf` is refused when it
 * is sent as `DPoP`, or when `require` names `key`. Codes: `proof_required`, `invalid_proof`, `invalid_token`,
 * `rate_limited`, `unavailable`.
 */
export function createEnforceKey(options: EnforceKeyOptions): EnforceKey {
  const { require, apiOrigin, verifyProof, useProof, onUnknownApi } = options
  return (received, { token, scheme, source }, { cnf }) => {
    const { request, now } = received
    if (cnf === undefined) {
      if (scheme === 'dpop') return NOT_BOUND
      return require.includes('key') ? KEY_REQUIRED : undefined
    }
    const origin = apiOrigin(request)
    const unknownApi = origin === undefined ? onUnknownApi?.(received) : undefined
    // A client that cannot set `Authorization` sends the token in `X-Client-Token`, and its proof as usual.
    const isWithProof = source === 'x-client-token' && request.headers.get('dpop') !== null
    if (scheme !== 'dpop' && !isWithProof) return SENT_AS_BEARER
    if (unknownApi !== undefined) return invalidProof(unknownApi)
    const htu = origin === undefined ? undefined : resolveTarget(origin, request.url)
    const expected = { accessToken: token, jkt: cnf.jkt, now }
    const checked = checkProof({ verifyProof, useProof }, request, htu, expected, received.source)
    return after(checked, (proof) => (proof.ok ? undefined : proof.reason))
  }
}

/** Checks the proof of a request to the token endpoint at `now` (epoch seconds). Resolves to the thumbprint of its key. */
export type ProveTokenRequest = (request: RequestLike, now: number) => Promise<Result<string, Reason>>

/**
 * Creates the check for the token endpoint at `url`, where the client has no token yet (RFC 9449 section 5). Codes:
 * `proof_required` without a proof, `invalid_proof`, `rate_limited`, `unavailable`. A proof that passes cannot be used
 * again, so authenticate the client first.
 */
export function createTokenEndpointProof(options: ProofChecks & { readonly url: string }): ProveTokenRequest {
  const { verifyProof, useProof, url } = options
  return async (request, now) =>
    checkProof({ verifyProof, useProof }, request, url, { accessToken: undefined, jkt: undefined, now })
}

/** The id of the proof that was accepted with a request object: its next gate sees that object and proof again. */
const acceptedProofs = new WeakMap<object, string>()

/** Checks the proof in a request's `DPoP` header and returns the thumbprint of its key. */
function checkProof(
  { verifyProof, useProof }: ProofChecks,
  request: RequestLike,
  htu: string | undefined,
  expected: Omit<ExpectedProof, 'method' | 'htu'>,
  source: object = request,
): MaybePromise<Result<string, Reason>> {
  const text = request.headers.get('dpop')
  if (text === null) return NO_PROOF
  // `Headers` joins lines of the same name with commas. A compact JWS contains none.
  if (text.includes(',')) return SEVERAL_PROOFS
  if (htu === undefined) return UNKNOWN_API
  return after(verifyProof(text, { ...expected, method: request.method, htu }), (verified) => {
    if (!verified.ok) return fail(invalidProof(verified.reason))
    const { jkt, id } = verified.value
    if (acceptedProofs.get(source) === id) return ok(jkt)
    return after(useProof(verified.value, expected.now), (reason) => {
      if (reason !== undefined) return fail(reason)
      acceptedProofs.set(source, id)
      return ok(jkt)
    })
  })
}

function invalidProof(detail: string): Reason {
  return refuse('key', 'invalid_proof', detail)
}

const SENT_AS_BEARER = refuse(
  'key',
  'proof_required',
  'the token is bound to a key: present it as DPoP with a proof',
)
const NOT_BOUND = refuse('key', 'invalid_token', 'the token is bound to no key: present it as Bearer')
const KEY_REQUIRED = refuse('key', 'proof_required', 'the token is bound to no key, and one is required here')
const NO_PROOF = fail(refuse('key', 'proof_required', 'the request has no DPoP proof'))
const SEVERAL_PROOFS = fail(invalidProof('the request has several DPoP proofs'))
const UNKNOWN_API = fail(invalidProof('proofs cannot be checked here: the URL of this API is not known'))
