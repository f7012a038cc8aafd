// The verifier behind createVerifier and both middlewares. This file builds it from checked options.

import { resolveClientIp } from '../claims/client-ip.ts'
import { refuse } from '../claims/enforce.ts'
import type { IpAddress } from '../claims/ip.ts'
import { after, type MaybePromise } from '../lib/result.ts'
import { createEnforceKey } from './dpop/enforce-key.ts'
import { createMemoryUseProof, createReplayUseProof } from './dpop/use-proof.ts'
import { createProofVerifier } from './dpop/verify-proof.ts'
import { type JudgeDeps, judgeRequest, type Verdict } from './judge.ts'
import { createPinnedKeys, createSharedKey } from './keys/pinned.ts'
import { createRemoteKeys } from './keys/remote.ts'
import type { KeySource } from './keys/source.ts'
import { callSafely } from './options/callbacks.ts'
import type { CheckedKeys, CheckedOptions } from './options/check.ts'
import { createTellFault, type TellFault, thrownBy } from './options/faults.ts'
import type { Decision } from './options/options.ts'
import type { RequestLike } from './request/extract.ts'
import { requestIdOf } from './request/id.ts'
import { createRevocationFeed } from './revocation/feed.ts'
import { createTextFetcher, type TextFetcher } from './runtime/fetch-text.ts'
import { loadVerifier } from './runtime/load-key.ts'
import { isWorkers } from './runtime/platform.ts'
import { hashText } from './runtime/sha256.ts'
import { createVerifyToken } from './verify.ts'

/** What the caller of a verifier knows of a request, besides the request itself. */
export interface RequestFacts {
  /** The request object that the API has. */
  readonly source: object
  /** Whether CORS allows its `Origin`; undefined when it allows all, or another program does CORS. */
  readonly isOriginAllowed?: boolean | undefined
}

/** A verifier that returns a verdict instead of throwing, because a middleware writes refusals itself. */
export interface RequestVerifier {
  /** Never throws or rejects. `peer` is the address of the socket's other end; any other text counts as no address. */
  judge(request: RequestLike, peer: string | undefined, facts: RequestFacts): MaybePromise<Verdict>
  /** Tells the API's developer of a fault, unless the verifier is closed. */
  readonly tellFault: TellFault
  /** Cancels fetches of keys and revocations. Later requests are refused as `unavailable`. */
  close(): void
}

const NO_API_ORIGIN =
  'proofs of key-bound tokens cannot be checked here: the option apiOrigin of the verifier is not set; set it to the public origin of this API'
const CLOSED: Verdict = {
  outcome: 'deny',
  reason: refuse('extract', 'unavailable', 'the verifier is closed'),
}
/** When reading the request throws, for example because the object is not a request. */
const UNREADABLE: Verdict = {
  outcome: 'deny',
  reason: refuse('extract', 'invalid_request', 'the request cannot be read'),
}

/** Creates a verifier from checked options. Throws a TypeError when a pinned key or a shared secret is not usable. */
export function createRequestVerifier(options: CheckedOptions): RequestVerifier {
  const { policy, trustedProxies, forwardedHeader, onDecision } = options
  const fetcher = createTextFetcher((...request) => globalThis.fetch(...request))
  const tell = createTellFault(options.onError)
  let isClosed = false
  const tellFault: TellFault = (fault, request) => {
    if (!isClosed) tell(fault, request)
  }
  const keys = createKeys(options.keys, fetcher, tellFault)
  const deps: JudgeDeps = {
    policy,
    mode: options.mode,
    sources: options.sources,
    apiOrigin: options.apiOrigin,
    verifyToken: createVerifyToken(keys, policy, options.cacheMax),
    isRevoked: createIsRevoked(options, { keys, fetcher, tellFault }),
    enforceKey: createEnforceKey({
      require: policy.require,
      // Proofs must be for this origin and not for the request's Host, which the client chooses.
      apiOrigin: () => options.apiOrigin,
      onUnknownApi: ({ source }) => {
        tellFault({ kind: 'option', subject: 'apiOrigin', message: NO_API_ORIGIN }, source)
        return NO_API_ORIGIN
      },
      verifyProof: createProofVerifier({ loadVerifier, hashText }),
      useProof:
        options.replay === undefined
          ? createMemoryUseProof()
          : createReplayUseProof(options.replay, (thrown) => tellFault(thrownBy('replay', thrown))),
    }),
    onWrongAddress: ({ request, address, source }) => {
      const message = describeProxyFault(options, request, address)
      if (message !== undefined) tellFault({ kind: 'option', subject: 'trustedProxies', message }, source)
    },
    authorize: options.authorize,
    tellFault,
  }

  function judgeReceived(request: RequestLike, peer: unknown, facts: RequestFacts): MaybePromise<Verdict> {
    const forwarded = trustedProxies.kind === 'none' ? null : request.headers.get(forwardedHeader)
    const socket = typeof peer === 'string' ? peer : undefined
    const address = resolveClientIp(socket, forwarded, trustedProxies, forwardedHeader)
    return judgeRequest(deps, {
      request,
      address,
      now: Date.now() / 1000,
      source: facts.source,
      isOriginAllowed: facts.isOriginAllowed,
    })
  }

  return {
    judge(request, peer, facts) {
      const verdict = isClosed
        ? CLOSED
        : callSafely(
            () => judgeReceived(request, peer, facts),
            () => UNREADABLE,
          )
      if (onDecision === undefined) return verdict
      return after(verdict, (ready) => {
        void callSafely(
          () => onDecision(toDecision(ready, requestIdOf(facts.source))),
          (thrown) => tellFault(thrownBy('onDecision', thrown), facts.source),
        )
        return ready
      })
    },
    tellFault,
    close() {
      isClosed = true
      fetcher.close()
    },
  }
}

/**
 * What the developer may have forgotten about proxies when a token's address is not the client's. Undefined when the client's
 * address is known: it then has another address than its token allows.
 */
function describeProxyFault(
  { trustedProxies, forwardedHeader }: CheckedOptions,
  { headers }: RequestLike,
  address: IpAddress | undefined,
): string | undefined {
  if (trustedProxies.kind === 'none') {
    return headers.get(forwardedHeader) === null ? undefined : NO_PROXIES
  }
  return address === undefined ? NO_ADDRESS : undefined
}

const BOUND = 'a token that is bound to an address was refused'
const NO_PROXIES = `${BOUND}: the request has forwarded addresses, which are used only when the option trustedProxies names your proxies`
const NO_ADDRESS = `${BOUND}, because the client's address is not known: check the option trustedProxies, and forwardedHeader, the header in which your proxies write the address`

function createKeys(keys: CheckedKeys, fetcher: TextFetcher, tellFault: TellFault): KeySource {
  switch (keys.kind) {
    case 'jwks':
      return createPinnedKeys(keys.keys, loadVerifier)
    case 'secret':
      return createSharedKey(keys.secret, loadVerifier)
    case 'jwksUri':
      return createRemoteKeys({
        url: keys.url,
        load: loadVerifier,
        fetcher,
        now: Date.now,
        sharesWork: !isWorkers,
        tellFault,
      })
  }
}

interface RevocationParts {
  readonly keys: KeySource
  readonly fetcher: TextFetcher
  readonly tellFault: TellFault
}

function createIsRevoked(
  { revocation, policy: { issuer, clockTolerance } }: CheckedOptions,
  { keys, fetcher, tellFault }: RevocationParts,
): JudgeDeps['isRevoked'] {
  switch (revocation.kind) {
    case 'none':
      return () => false
    case 'function':
      // A result that is not a boolean, such as undefined from a function without `return`, must not let a token pass.
      return (claims, _kid, received) =>
        after(
          callSafely(
            () => revocation.isRevoked(claims),
            (thrown) => {
              tellFault(thrownBy('revocation', thrown), received?.source)
              return 'unavailable' as const
            },
          ),
          (isRevoked) => (typeof isRevoked === 'boolean' ? isRevoked : 'unavailable'),
        )
    case 'feed':
      return createRevocationFeed(revocation.feed, {
        issuer,
        clockTolerance,
        keys,
        fetcher,
        now: Date.now,
        sharesWork: !isWorkers,
        tellFault,
      })
  }
}

function toDecision(verdict: Verdict, requestId: string): Decision {
  const { outcome } = verdict
  const reason = outcome === 'allow' ? {} : { code: verdict.reason.code, step: verdict.reason.step }
  const claims = verdict.parsed && { claims: verdict.parsed.claims }
  return { outcome, ...reason, ...claims, requestId }
}

/** The parts of a verifier that a middleware needs. */
export interface Shared {
  readonly verifier: RequestVerifier
  readonly issuer: string
  readonly mode: 'enforce' | 'report'
}

const shared = new WeakMap<object, Shared>()

/** Lets middlewares find the parts of a verifier. */
export function share(verifier: object, parts: Shared): void {
  shared.set(verifier, parts)
}

/** The parts of a verifier that `createVerifier` of this copy of the package made; undefined for anything else. */
export function findShared(verifier: unknown): Shared | undefined {
  return typeof verifier === 'object' && verifier !== null ? shared.get(verifier) : undefined
}
