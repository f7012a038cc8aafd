// The service's own verifier. It checks the service's tokens for whoami, forward auth, introspection and explanations, and
// DPoP proofs at the token endpoint.

import { markKeyBound, type Policy, refuse } from '../claims/enforce.ts'
import { patternsMatching } from '../claims/origin-pattern.ts'
import type { OneTimeStore } from '../counters/counters.ts'
import type { Logger } from '../http/log.ts'
import { after, fail, type MaybePromise } from '../lib/result.ts'
import type { KeyRing } from '../signing/key-ring.ts'
import type { CachedStorage } from '../storage/cached.ts'
import type { CompareContext } from '../verify/compare/refusal.ts'
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
import { createRevocationCheck, describeRevocation } from './revocation/check.ts'
import type { RevocationRules } from './revocation/rules.ts'

/** Settings, stores and keys of the verifier. */
export interface ServiceVerifierDeps {
  readonly config: {
    readonly issuer: string
    readonly audience: readonly string[]
    readonly clockTolerance: number
  }
  readonly storage: Pick<CachedStorage, 'findCredentialStale' | 'isAnyOriginListedStale'>
  readonly keyRing: Pick<KeyRing, 'find' | 'load' | 'isEnded'>
  readonly rules: Pick<RevocationRules, 'isListed'>
  /** The store of used proofs, opened with the limits `proofBudget`. */
  readonly proofs: OneTimeStore
  readonly log: Logger
}

/** The rules that every token must pass, and the functions that check requests. */
export interface ServiceVerifier extends Pick<JudgeDeps, 'verifyToken' | 'isRevoked'> {
  readonly policy: Policy
  /** Allows every origin that at least one account lists. */
  readonly cors: Cors
  /** Origin of the service's own URL. */
  readonly serviceOrigin: string
  /** Creates a judge. All judges share a cache of verified tokens; the rules in which they differ are checked after it. */
  readonly createJudge: (rules: JudgeRules) => Judge
  /** Creates a judge for explanations. It enforces `bareRules`, accepts used proofs and marks none as used. */
  readonly createTrialJudge: (rules: Pick<JudgeRules, 'sources' | 'apiOrigin'>) => Judge
  /** What an explanation asks about keys and revocations. */
  readonly facts: Pick<CompareContext, 'findAlg' | 'describeRevocation'>
  /** Checks the DPoP proofs of requests to the token endpoint at this URL. */
  readonly createEndpointProof: (url: string) => ProveTokenRequest
}

/** Replaces the store of used proofs in explanations. */
const acceptEveryProof: UseProof = () => undefined

/** Size of the cache of verified tokens. */
const TOKEN_CACHE_MAX = 10_000

/** Creates the verifier of a service. */
export function createServiceVerifier(deps: ServiceVerifierDeps): ServiceVerifier {
  const { storage, keyRing, log } = deps
  const { issuer, audience, clockTolerance } = deps.config
  const { missingOrigin, require, scopes } = bareRules
  const policy: Policy = { issuer, audience, clockTolerance, missingOrigin, require, scopes }
  const verifyProof = createProofVerifier({ loadVerifier, hashText })
  const useProof = createUseProof(deps.proofs)
  const verifyToken = createVerifyToken({ get: keyRing.find, load: keyRing.load }, policy, TOKEN_CACHE_MAX)
  const isRevoked = createRevocationCheck({ storage, rules: deps.rules, keyRing, log })
  const judgeBy = (rules: JudgeRules, use: UseProof): Judge => {
    const judgeDeps: JudgeDeps = {
      policy: {
        issuer,
        audience,
        clockTolerance,
        missingOrigin: rules.missingOrigin,
        require: rules.require,
        scopes: rules.scopes,
      },
      mode: rules.mode,
      sources: rules.sources,
      apiOrigin: rules.apiOrigin,
      verifyToken: requireAudience(verifyToken, rules.namedAudience),
      isRevoked,
      authorize: undefined,
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
    verifyToken,
    isRevoked,
    policy,
    cors: createCors({ isAllowed: (origin) => isListed({ storage, log }, origin) }),
    serviceOrigin: new URL(issuer).origin,
    createJudge: (rules) => judgeBy(rules, useProof),
    createTrialJudge: ({ sources, apiOrigin }) =>
      judgeBy(listBareRules(sources, apiOrigin), acceptEveryProof),
    facts: {
      findAlg: (kid) => keyRing.find(kid)?.alg,
      describeRevocation: (claims, kid) => describeRevocation({ storage, keyRing }, claims, kid),
    },
    createEndpointProof: (url) => createTokenEndpointProof({ verifyProof, useProof, url }),
  }
}

/** The judge of whoami. It also accepts the token in the query string, as Trefle's users send it. */
export function createWhoamiJudge({ createJudge, serviceOrigin }: ServiceVerifier): Judge {
  return createJudge(listBareRules([...bareRules.sources, 'query'], serviceOrigin))
}

/** The members of `bareRules`, with these places of the token and this origin of the API. */
function listBareRules(sources: JudgeRules['sources'], apiOrigin: JudgeRules['apiOrigin']): JudgeRules {
  const { missingOrigin, require, scopes, mode, namedAudience } = bareRules
  return { missingOrigin, require, scopes, mode, sources, apiOrigin, namedAudience }
}

/** Adds the check that the token names this audience; undefined adds none. */
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

/**
 * Whether at least one account lists an origin. While the database is down, the last known answer counts; an origin
 * without a known answer is not allowed.
 */
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
