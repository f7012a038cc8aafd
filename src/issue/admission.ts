// The first steps of an issuing endpoint: the body is read to its end, then the credential is checked and counted. It is
// checked at the time after the read, because a caller can hold back the last byte of a body for 30 s, and the credential
// may end meanwhile. The types enforce the order: checking a credential needs a `Received`, issuing needs an `Admission`.

import type { CredentialWithAccount } from '../claims/records/account.ts'
import { readBody } from '../http/body.ts'
import type { HeaderRecord, RequestContext } from '../http/context.ts'
import type { Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import type { ClientSecret } from '../signing/secret.ts'
import type { Authenticate } from './authenticate.ts'
import type { CredentialLimit, RefuseCaller } from './limits.ts'

/** A request whose body was read. Later steps never wait for the caller. */
export interface Received {
  readonly context: RequestContext
  /** The body; undefined when it is too large, in which case the rest of it was not read. */
  readonly bytes: Uint8Array | undefined
}

/** Reads the body to its end. `maxBytes` is as for `readBody`, and it rejects with the errors of `readBody`. */
export async function receiveRequest(context: RequestContext, maxBytes?: number): Promise<Received> {
  return { context, bytes: await readBody(context.request, maxBytes) }
}

/** A credential whose secret was right and that is within its rate limit. */
export interface Admission {
  readonly found: CredentialWithAccount
  /** Rate limit headers for a successful answer. */
  readonly headers: HeaderRecord
  /** The 401 of this endpoint, for the case that the credential expires before the token is signed. */
  readonly unauthorized: Problem
}

/** Why a request was not admitted. */
export interface NotAdmitted {
  readonly problem: Problem
  /** The credential, when its secret was right and it is over its limit. */
  readonly overLimit: CredentialWithAccount | undefined
}

/** Checks a client id and secret (else `unauthorized`, a 401), then counts the request for the credential (else 429). */
export type AdmitCredential = (
  received: Received,
  pair: ClientSecret | undefined,
  unauthorized: Problem,
) => Promise<Result<Admission, NotAdmitted>>

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
