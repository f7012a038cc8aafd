// A judge made of a verifier's options: its keys, its revocations, its address rules. Every door stands on it.

import { resolveClientIp } from '../claims/client-ip.ts'
import { after, type MaybePromise } from '../claims/result.ts'
import { type CheckedOptions, checkUrl } from './check-options.ts'
import { createEnforceKey, refuseProof } from './enforce-key.ts'
import { loadVerifier } from './engine.ts'
import type { RequestLike } from './extract.ts'
import { createJudge, type JudgeDeps, type Verdict } from './judge.ts'
import type { KeySource } from './key-source.ts'
import type { Decision, VerifierOptions } from './options.ts'
import { createPinnedKeys, createSharedKey } from './pinned-keys.ts'
import { createRemoteKeys } from './remote-keys.ts'
import { createVerifyToken } from './verify.ts'

/** Judges a request and tells `onDecision`; for middlewares, which write refusals themselves. */
export interface RequestJudge {
  judge(request: RequestLike, peer: string | undefined): MaybePromise<Verdict>
  close(): void
}

/** The judge behind every door; `checked` are the same options, checked. */
export function createRequestJudge(options: VerifierOptions, checked: CheckedOptions): RequestJudge {
  const { policy, trustedProxies, forwardedHeader } = checked
  const keys = createKeys(options)
  const judge = createJudge({
    ...checked,
    verifyToken: createVerifyToken(keys, policy, checked.cacheMax),
    isRevoked: guardRevocation(options.revocation),
    enforceKey: createEnforceKey(policy, refuseProof),
    authorize: guardAuthorize(options.authorize),
  })
  return {
    judge(request, peer) {
      const address = resolveClientIp(
        peer,
        request.headers.get(forwardedHeader),
        trustedProxies,
        forwardedHeader,
      )
      const verdict = judge({ request, address, now: Date.now() / 1000 })
      const { onDecision } = options
      if (onDecision === undefined) return verdict
      return after(verdict, (ready) => {
        tell(onDecision, ready)
        return ready
      })
    },
    close() {},
  }
}

function createKeys({ jwksUri, jwks, secret }: VerifierOptions): KeySource {
  if (jwks !== undefined) {
    if (!Array.isArray(jwks?.keys)) throw new TypeError('jwks: must be a JWK Set, { keys: [] }')
    return createPinnedKeys(jwks.keys, loadVerifier)
  }
  if (secret !== undefined) return createSharedKey(secret, loadVerifier)
  const isWorker =
    (globalThis.navigator as { userAgent?: string } | undefined)?.userAgent === 'Cloudflare-Workers'
  return createRemoteKeys({
    url: checkUrl('jwksUri', jwksUri),
    load: loadVerifier,
    fetch: (...asked) => globalThis.fetch(...asked),
    now: Date.now,
    sharesWork: !isWorker,
  })
}

/** A revocation check that cannot answer must not let ended tokens through. */
function guardRevocation(revocation: VerifierOptions['revocation']): JudgeDeps['isRevoked'] {
  if (revocation === undefined) return () => false
  if (typeof revocation !== 'function') throw new TypeError('revocation: feeds are not here yet')
  return (claims) => attempt(() => revocation(claims), 'unavailable')
}

/** An authorization that fails has not said yes. */
function guardAuthorize(authorize: VerifierOptions['authorize']): JudgeDeps['authorize'] {
  return authorize && ((claims, request) => attempt(() => authorize(claims, request), false))
}

/** What `work` gives, or `fallback` when it throws or rejects. */
function attempt<T, F>(work: () => MaybePromise<T>, fallback: F): MaybePromise<T | F> {
  try {
    const value = work()
    return value instanceof Promise ? value.catch(() => fallback) : value
  } catch {
    return fallback
  }
}

function tell(onDecision: (decision: Decision) => void, verdict: Verdict): void {
  try {
    const claims = verdict.parsed && { claims: verdict.parsed.claims }
    if (verdict.outcome === 'allow') onDecision({ outcome: 'allow', ...claims })
    else
      onDecision({
        outcome: verdict.outcome,
        code: verdict.reason.code,
        step: verdict.reason.step,
        ...claims,
      })
  } catch {
    // An observer's fault is not the request's.
  }
}
