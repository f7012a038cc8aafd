// The first steps of an issuing endpoint: the body is read to its end, then the credential is checked and counted, by
// the time after the read. A caller can hold back the last byte of a body for half a minute, and the credential may
// have ended meanwhile. The types enforce that order: a check needs a `Received`, and minting needs an `Admission`.

import type { CredentialWithAccount } from '../claims/account.ts'
import { readBody } from '../http/body.ts'
import type { HeaderRecord, RequestContext } from '../http/context.ts'
import type { Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { Authenticate } from './authenticate.ts'
import type { CredentialLimit, RefuseCaller } from './limits.ts'

/** A request that was received completely: from here on nothing waits for the caller. */
export interface Received {
  readonly context: RequestContext
  /** The body; undefined when it is too large. */
  readonly bytes: Uint8Array | undefined
}

/** Reads the body to its end. `maxBytes` as for `readBody`, whose error this rejects with. */
export async function receiveRequest(context: RequestContext, maxBytes?: number): Promise<Received> {
  return { context, bytes: await readBody(context.request, maxBytes) }
}

/** A proven credential that is within its limit. */
export interface Admission {
  readonly found: CredentialWithAccount
  /** Rate limit headers for a successful answer. */
  readonly headers: HeaderRecord
  /** The endpoint's refusal of a credential that cannot be used. */
  readonly unauthorized: Problem
}

/** The refusal of a request. */
export interface NotAdmitted {
  readonly problem: Problem
  /** The credential that is over its limit; undefined: none was proven. */
  readonly overLimit: CredentialWithAccount | undefined
}

/** Proves a pair and counts the request for its credential: 401, then 429. `unauthorized` is the 401. */
export type AdmitCredential = (
  received: Received,
  pair: ClientSecret | undefined,
  unauthorized: Problem,
) => Promise<Result<Admission, NotAdmitted>>

/** Dependencies of {@link createAdmitCredential}. */
export interface AdmissionDeps {
  readonly authenticate: Authenticate
  readonly limit: CredentialLimit
  readonly refuseCaller: RefuseCaller
}

export function createAdmitCredential({ authenticate, limit, refuseCaller }: AdmissionDeps): AdmitCredential {
  return async ({ context }, pair, unauthorized) => {
    const pending = authenticate(pair, context.now())
    const found = pending instanceof Promise ? await pending : pending
    if (found === undefined) {
      return fail({ problem: await refuseCaller(context, unauthorized), overLimit: undefined })
    }
    const counted = await limit.consume(found.credential.id)
    if (!counted.ok) return fail({ problem: counted.reason, overLimit: found })
    return ok({ found, headers: counted.value, unauthorized })
  }
}
