// How a request enters an issuing endpoint: its body is read to the end, then its credential is judged and counted, by
// the clock of that moment. A caller can hold the last byte of a body back for half a minute; what was right when the
// request came may have ended since. The types keep that order: nothing is judged without a `Received`, and nothing is
// minted without an `Admission`.

import type { CredentialWithAccount } from '../claims/account.ts'
import { fail, ok, type Result } from '../claims/result.ts'
import { readBody } from '../http/body.ts'
import type { HeaderRecord, RequestContext } from '../http/context.ts'
import type { Problem } from '../http/problem.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { Authenticate } from './authenticate.ts'
import type { CredentialLimit, RefuseCaller } from './limits.ts'

/** A request that is complete: the caller controls nothing any more that we wait for. */
export interface Received {
  readonly context: RequestContext
  /** The body; undefined when it is too large, and not read any further. */
  readonly bytes: Uint8Array | undefined
}

/** Reads the body to its end. `maxBytes` as for `readBody`, whose error this rejects with. */
export async function receiveRequest(context: RequestContext, maxBytes?: number): Promise<Received> {
  return { context, bytes: await readBody(context.request, maxBytes) }
}

/** A credential that was proven by a complete request, and is within its limit. */
export interface Admission {
  readonly found: CredentialWithAccount
  /** Headers of a success, which tell what is left of the limit. */
  readonly headers: HeaderRecord
  /** The endpoint's refusal of a credential that cannot be used. */
  readonly unauthorized: Problem
}

/** Why a credential is not admitted. */
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

/** What admitting needs. */
export interface AdmissionDeps {
  readonly authenticate: Authenticate
  readonly limit: CredentialLimit
  readonly refuseCaller: RefuseCaller
}

/** Admission under this limit. */
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
