// The service's own verifier, for every door that judges the service's own tokens: whoami, forward auth, and the
// command line that explains them.

import { markKeyBound, type Policy, refuse } from '../claims/enforce.ts'
import { patternsMatching } from '../claims/origin-pattern.ts'
import type { OneTimeStore } from '../counters/counters.ts'
import type { Logger } from '../http/log.ts'
import { after, fail, type MaybePromise } from '../lib/result.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import type { CachedStorage } from '../storage/cached.ts'
import {
  createEnforceKey,
  createTokenEndpointProof,
  type ProveTokenRequest,
} from '../verify/dpop/enforce-key.ts'
import { createUseProof, type UseProof } from '../verify/dpop/use-proof.ts'
import { createProofVerifier } from '../verify/dpop/verify-proof.ts'
import { type Judge, type JudgeDeps, judgeRequest } from '../verify/judge.ts'
import { type Cors, createCors } from '../verify/middleware/cors.ts'
import { loadVerifier } from '../verify/runtime/load-key.ts'
import { hashText } from '../verify/runtime/sha256.ts'
import { createVerifyToken, type VerifyTokenText } from '../verify/verify.ts'
import { bareRules, type JudgeRules } from './forward-auth/rules.ts'
import { createRevocationCheck } from './revocation/check.ts'
import type { RevocationRules } from './revocation/rules.ts'

/** What the verifier needs. */
export interface ServiceVerifierDeps {
  readonly config: {
    readonly issuer: string
    readonly audience: readonly string[]
    readonly clockTolerance: number
  }
  readonly storage: Pick<CachedStorage, 'findCredentialStale' | 'isAnyOriginListedStale'>
  readonly keyRing: Pick<KeyRing, 'find' | 'load' | 'isEnded'>
  readonly rules: Pick<RevocationRules, 'isListed'>
  /** The proofs that were used; its budget is `proofBudget`. */
  readonly proofs: OneTimeStore
  readonly log: Logger
}

/** The verifier's parts. */
export interface ServiceVerifier extends Pick<JudgeDeps, 'verifyToken' | 'isRevoked'> {
  readonly policy: Policy
  /** Open to every origin that some account lists. */
  readonly cors: Cors
  /** Origin of the service itself. */
  readonly serviceOrigin: string
  /** Judges share the memory of verified tokens: what it holds depends on no rule in which they differ. */
  readonly createJudge: (rules: JudgeRules) => Judge
  /** A judge that uses no proof up. */
  readonly createTrialJudge: (rules: Partial<JudgeRules>) => Judge
  /** Judges proofs at the token endpoint of this URL. */
  readonly createEndpointProof: (url: string) => ProveTokenRequest
}

/** For explanations: accepts a used proof, and uses none up. */
const acceptEveryProof: UseProof = () => undefined

/** Verified tokens that are remembered. */
const TOKEN_CACHE_MAX = 10_000

/** The verifier of a service. */
export function createServiceVerifier(deps: ServiceVerifierDeps): ServiceVerifier {
  const { storage, keyRing, log } = deps
  const { issuer, audience, clockTolerance } = deps.config
  const { missingOrigin, require, scopes } = bareRules
  const policy: Policy = { issuer, audience, clockTolerance, missingOrigin, require, scopes }
  const verifyProof = createProofVerifier({ loadVerifier, hashText })
  const useProof = createUseProof(deps.proofs)
  const shared = {
    verifyToken: createVerifyToken({ get: keyRing.find, load: keyRing.load }, policy, TOKEN_CACHE_MAX),
    isRevoked: createRevocationCheck(deps),
    authorize: undefined,
  }
  const judgeBy = (rules: JudgeRules, use: UseProof): Judge => {
    const judgeDeps: JudgeDeps = {
      ...shared,
      ...rules,
      verifyToken: requireAudience(shared.verifyToken, rules.namedAudience),
      policy: { ...policy, ...rules },
      enforceKey: createEnforceKey({
        require: rules.require,
        apiOrigin: () => rules.apiOrigin,
        verifyProof,
        useProof: use,
      }),
    }
    return (received) => judgeRequest(judgeDeps, received)
  }
  return {
    ...shared,
    policy,
    cors: createCors({ isAllowed: (origin) => isListed({ storage, log }, origin) }),
    serviceOrigin: new URL(issuer).origin,
    createJudge: (rules) => judgeBy(rules, useProof),
    createTrialJudge: (rules) => judgeBy({ ...bareRules, ...rules }, acceptEveryProof),
    createEndpointProof: (url) => createTokenEndpointProof({ verifyProof, useProof, url }),
  }
}

/** The judge of whoami: Trefle's users may put the token into the query string. */
export function createWhoamiJudge({ createJudge, serviceOrigin }: ServiceVerifier): Judge {
  const sources = [...bareRules.sources, 'query'] as const
  return createJudge({ ...bareRules, sources, apiOrigin: serviceOrigin })
}

/** Also refuses tokens that do not name `audience`; undefined: adds no check. */
function requireAudience(verifyToken: VerifyTokenText, audience: string | undefined): VerifyTokenText {
  if (audience === undefined) return verifyToken
  return (token, now) =>
    after(verifyToken(token, now), (verified) =>
      verified.ok && !verified.value.audience.includes(audience)
        ? fail(markKeyBound(OTHER_AUDIENCE, verified.value.claims))
        : verified,
    )
}

const OTHER_AUDIENCE = refuse('claims', 'invalid_token', 'the token is for another audience')

/** Whether some account lists an origin. While the database is down the last known answer counts; unknown ones stay shut. */
function isListed(
  { storage, log }: Pick<ServiceVerifierDeps, 'storage' | 'log'>,
  origin: string,
): MaybePromise<boolean> {
  const listed = storage.isAnyOriginListedStale(patternsMatching(origin))
  if (!(listed instanceof Promise)) return listed
  return listed.catch((error: unknown) => {
    log.error('allowed origins could not be read', { error })
    return false
  })
}
