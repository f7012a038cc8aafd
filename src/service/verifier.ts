// The service's own verifier, for every door that judges the service's own tokens: whoami, forward auth, and the
// command line that explains them.

import type { Policy } from '../claims/enforce.ts'
import { patternsMatching } from '../claims/origin-pattern.ts'
import type { MaybePromise } from '../claims/result.ts'
import type { Logger } from '../http/log.ts'
import type { CachedStorage } from '../storage/cached.ts'
import { type Cors, createCors } from '../verify/cors.ts'
import { createEnforceKey, refuseProof } from '../verify/enforce-key.ts'
import { createJudge, type Judge } from '../verify/judge.ts'
import type { KeySource } from '../verify/key-source.ts'
import { createVerifyToken } from '../verify/verify.ts'
import { defaultRules, type JudgeRules } from './proxy-question.ts'
import { createRevocationCheck } from './revocation.ts'

/** What the verifier needs. */
export interface ServiceVerifierDeps {
  readonly config: {
    readonly issuer: string
    readonly audience: readonly string[]
    readonly clockTolerance: number
  }
  readonly storage: Pick<CachedStorage, 'findCredentialStale' | 'isAnyOriginListedStale'>
  readonly keys: KeySource
  readonly log: Logger
}

/** The verifier's parts. */
export interface ServiceVerifier {
  readonly policy: Policy
  /** Open to every origin that some account lists. */
  readonly cors: Cors
  /** Origin of the service itself. */
  readonly serviceOrigin: string
  /** Judges share the memory of verified tokens: what it holds depends on no rule in which they differ. */
  readonly createJudge: (rules: JudgeRules) => Judge
}

/** Verified tokens that are remembered. */
const TOKEN_CACHE_MAX = 10_000

/** The verifier of a service. */
export function createServiceVerifier({ config, storage, keys, log }: ServiceVerifierDeps): ServiceVerifier {
  const { issuer, audience, clockTolerance } = config
  const policy: Policy = { ...defaultRules, issuer, audience, clockTolerance }
  const shared = {
    verifyToken: createVerifyToken(keys, policy, TOKEN_CACHE_MAX),
    isRevoked: createRevocationCheck(storage, log),
    authorize: undefined,
  }
  return {
    policy,
    cors: createCors({ isAllowed: (origin) => isListed({ storage, log }, origin) }),
    serviceOrigin: new URL(issuer).origin,
    createJudge: (rules) =>
      createJudge({
        ...shared,
        ...rules,
        policy: { ...policy, ...rules },
        enforceKey: createEnforceKey(rules, refuseProof),
      }),
  }
}

/** The judge of whoami: Trefle's users may put the token into the query string. */
export function createWhoamiJudge({ createJudge, serviceOrigin }: ServiceVerifier): Judge {
  const sources = [...defaultRules.sources, 'query'] as const
  return createJudge({ ...defaultRules, sources, apiOrigin: serviceOrigin })
}

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
