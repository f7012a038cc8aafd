// The checks that come first at each OAuth endpoint that authenticates a client (token, revoke, introspect). In this order,
// and the first that fails is the answer: browser -> media type -> size -> form -> client -> limit

import { readBody } from '../http/body.ts'
import type { RequestContext } from '../http/context.ts'
import { queryOf } from '../http/form.ts'
import { paths } from '../http/paths.ts'
import type { Problem } from '../http/problem.ts'
import type { Admission } from '../issue/admission.ts'
import { isFromBrowser, type ReportBrowser, SECRET_IN_BROWSER } from '../issue/browser.ts'
import type { CredentialLimit } from '../issue/limits.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { type AuthenticateClient, findClientSecret, UNAUTHORIZED } from './client.ts'
import { type OAuthForm, receiveForm } from './form.ts'

/** A complete request of an authenticated client that is within its limit. */
export interface ClientRequest {
  readonly form: OAuthForm
  readonly client: Admission
}

/** The form and the client of a request to `path`, or the refusal of the first check that fails. */
export type AdmitClient = (context: RequestContext, path: string) => Promise<Result<ClientRequest, Problem>>

export interface AdmitClientDeps {
  /** URL of the issuer: the start of every endpoint's URL. */
  readonly issuer: string
  readonly authenticateClient: AuthenticateClient
  readonly reportBrowser: ReportBrowser
  /** At the token endpoint: counts every request of an authenticated client. */
  readonly limit: CredentialLimit
  /** At the other endpoints: counts only assertions, because each is stored in the database. */
  readonly assertionLimit: CredentialLimit
}

export function createAdmitClient(deps: AdmitClientDeps): AdmitClient {
  const { issuer, authenticateClient, reportBrowser } = deps
  return async (context, path) => {
    const { request } = context
    if (isFromBrowser(request.headers)) {
      await reportBrowser('oauth', context, async () => {
        const bytes = await readBody(request)
        return findClientSecret(request.headers, [new TextDecoder().decode(bytes), queryOf(request.url)])
      })
      return fail(SECRET_IN_BROWSER)
    }
    const read = await receiveForm(context)
    if (!read.ok) return read
    const { received, form } = read.value
    const isIssuing = path === paths.oauthToken
    const limit = isIssuing ? deps.limit : deps.assertionLimit
    const endpoints = [`${issuer}${paths.oauthToken}`, `${issuer}${path}`]
    const client = await authenticateClient(received, form, { endpoints, limit })
    if (!client.ok) return client
    const { found, isAsserted } = client.value
    const counted = isIssuing || isAsserted ? await limit.consume(found.credential.id) : ok({})
    if (!counted.ok) return counted
    return ok({ form, client: { found, headers: counted.value, unauthorized: UNAUTHORIZED } })
  }
}
