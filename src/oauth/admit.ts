// The first checks of every OAuth endpoint, in this order: browser -> media type -> size -> form -> client -> limit.

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

/** A complete request whose client is proven and within its limit. */
export interface Admitted {
  readonly form: OAuthForm
  readonly client: Admission
}

/** The form and the client of a request to `path`, or the first rule that refuses it. */
export type Admit = (context: RequestContext, path: string) => Promise<Result<Admitted, Problem>>

/** What admitting needs. */
export interface AdmitDeps {
  readonly issuer: string
  readonly authenticateClient: AuthenticateClient
  readonly reportBrowser: ReportBrowser
  /** For the token endpoint: every request of a proven client counts. */
  readonly limit: CredentialLimit
  /** For the other endpoints: only assertions count, because each is kept in the database. */
  readonly assertionLimit: CredentialLimit
}

/** Admission to the endpoints of this issuer. */
export function createAdmit(deps: AdmitDeps): Admit {
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
