// A judge made of a verifier's options: its keys, its revocations, its address rules. Every door stands on it.

import { resolveClientIp } from '../claims/client-ip.ts'
import { type Policy, refuse } from '../claims/enforce.ts'
import { after, type MaybePromise } from '../lib/result.ts'
import { type CheckedOptions, checkUrl } from './check-options.ts'
import { createEnforceKey } from './dpop/enforce-key.ts'
import { createMemoryUseProof, createReplayUseProof } from './dpop/use-proof.ts'
import { createProofVerifier } from './dpop/verify-proof.ts'
import type { RequestLike } from './extract.ts'
import { createJudge, type EnforceKey, type JudgeDeps, type Verdict } from './judge.ts'
import { createPinnedKeys, createSharedKey } from './keys/pinned.ts'
import { createRemoteKeys } from './keys/remote.ts'
import type { KeySource } from './keys/source.ts'
import type { Decision, VerifierOptions } from './options.ts'
import { createRevocationFeed } from './revocation/feed.ts'
import { createTextFetcher, type TextFetcher } from './runtime/fetch-text.ts'
import { loadVerifier } from './runtime/load-key.ts'
import { isWorkers } from './runtime/platform.ts'
import { hashText } from './runtime/sha256.ts'
import { createVerifyToken } from './verify.ts'

/** Judges a request and tells `onDecision`; for middlewares, which write refusals themselves. */
export interface RequestJudge {
  judge(request: RequestLike, peer: string | undefined): MaybePromise<Verdict>
  close(): void
}

/** The judge behind every door; `checked` are the same options, checked. */
export function createRequestJudge(options: VerifierOptions, checked: CheckedOptions): RequestJudge {
  const { policy, trustedProxies, forwardedHeader } = checked
  const fetcher = createTextFetcher((...asked) => globalThis.fetch(...asked))
  const keys = createKeys(options, fetcher)
  const judge = createJudge({
    ...checked,
    verifyToken: createVerifyToken(keys, policy, checked.cacheMax),
    isRevoked: guardRevocation(options.revocation, policy, keys, fetcher),
    enforceKey: createOwnEnforceKey(options, checked),
    authorize: guardAuthorize(options.authorize),
  })
  let isClosed = false

  function judgeNow(request: RequestLike, peer: unknown): MaybePromise<Verdict> {
    const forwarded = trustedProxies.kind === 'none' ? null : request.headers.get(forwardedHeader)
    const address = resolveClientIp(
      typeof peer === 'string' ? peer : undefined,
      forwarded,
      trustedProxies,
      forwardedHeader,
    )
    return judge({ request, address, now: Date.now() / 1000 })
  }

  return {
    judge(request, peer) {
      const verdict = isClosed ? CLOSED : attempt(() => judgeNow(request, peer), UNREADABLE)
      const { onDecision } = options
      if (onDecision === undefined) return verdict
      return after(verdict, (ready) => {
        tell(onDecision, ready)
        return ready
      })
    },
    close() {
      isClosed = true
      fetcher.close()
    },
  }
}

const CLOSED: Verdict = {
  outcome: 'deny',
  reason: refuse('extract', 'unavailable', 'the verifier is closed'),
}

/** A request that throws when it is read, or is none. */
const UNREADABLE: Verdict = {
  outcome: 'deny',
  reason: refuse('extract', 'invalid_request', 'the request cannot be read'),
}

/** Proofs must be for the API's own origin: a request's Host is anybody's to write. */
function createOwnEnforceKey({ replay }: VerifierOptions, checked: CheckedOptions): EnforceKey {
  const { policy, apiOrigin } = checked
  return createEnforceKey({
    require: policy.require,
    apiOrigin: () => apiOrigin,
    verifyProof: createProofVerifier({ loadVerifier, hashText }),
    useProof: replay === undefined ? createMemoryUseProof() : createReplayUseProof(replay),
  })
}

function createKeys(options: VerifierOptions, fetcher: TextFetcher): KeySource {
  const { jwksUri, jwks, secret, allowInsecureIssuer } = options
  if (jwks !== undefined) {
    if (!Array.isArray(jwks?.keys)) throw new TypeError('jwks: must be a JWK Set, { keys: [] }')
    return createPinnedKeys(jwks.keys, loadVerifier)
  }
  if (secret !== undefined) return createSharedKey(secret, loadVerifier)
  return createRemoteKeys({
    url: checkUrl('jwksUri', jwksUri, allowInsecureIssuer),
    load: loadVerifier,
    fetcher,
    now: Date.now,
    sharesWork: !isWorkers,
  })
}

/** A revocation check that cannot answer must not let ended tokens through. */
function guardRevocation(
  revocation: VerifierOptions['revocation'],
  { issuer, clockTolerance }: Policy,
  keys: KeySource,
  fetcher: TextFetcher,
): JudgeDeps['isRevoked'] {
  if (revocation === undefined) return () => false
  if (typeof revocation === 'function') {
    // Neither yes nor no, a forgotten `return` say, is no answer.
    return (claims) =>
      after(
        attempt(() => revocation(claims), 'unavailable' as const),
        (isRevoked) => (typeof isRevoked === 'boolean' ? isRevoked : 'unavailable'),
      )
  }
  const deps = { issuer, clockTolerance, keys, fetcher, now: Date.now, sharesWork: !isWorkers }
  return createRevocationFeed(revocation, deps)
}

/** An authorization that fails has not said yes. */
function guardAuthorize(authorize: VerifierOptions['authorize']): JudgeDeps['authorize'] {
  return authorize && ((claims, request) => attempt(() => authorize(claims, request), false))
}

/** What `work` gives, or `fallback` when it throws or rejects. */
export function attempt<T, F>(work: () => MaybePromise<T>, fallback: F): MaybePromise<T | F> {
  try {
    const value = work()
    return value instanceof Promise ? value.catch(() => fallback) : value
  } catch {
    return fallback
  }
}

/** An observer's fault is not the request's. */
function tell(onDecision: (decision: Decision) => void, verdict: Verdict): void {
  const { outcome } = verdict
  const reason = outcome === 'allow' ? {} : { code: verdict.reason.code, step: verdict.reason.step }
  const claims = verdict.parsed && { claims: verdict.parsed.claims }
  void attempt(() => onDecision({ outcome, ...reason, ...claims }), undefined)
}
