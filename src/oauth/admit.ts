// What every OAuth endpoint asks first, in its fixed order: browser -> media type -> size -> form -> client.

import type { CredentialWithAccount } from '../claims/account.ts'
import { fail, ok, type Result } from '../claims/result.ts'
import { readBody } from '../http/body.ts'
import type { RequestContext } from '../http/context.ts'
import { queryOf } from '../http/form.ts'
import type { Problem } from '../http/problem.ts'
import { isFromBrowser, type ReportBrowser } from '../issue/browser.ts'
import { type AuthenticateClient, findClientSecret } from './client.ts'
import { type OAuthForm, readForm } from './form.ts'

/** Paths below the issuer's URL. */
export const paths = {
  token: '/oauth/token',
  revoke: '/oauth/revoke',
  introspect: '/oauth/introspect',
} as const

/** A request whose client is known. */
export interface Admitted {
  readonly form: OAuthForm
  readonly client: CredentialWithAccount
}

/** The form and the client of a request to one of {@link paths}, or the first rule that refuses it. */
export type Admit = (context: RequestContext, path: string) => Promise<Result<Admitted, Problem>>

/** What admitting needs. */
export interface AdmitDeps {
  readonly issuer: string
  readonly authenticateClient: AuthenticateClient
  readonly reportBrowser: ReportBrowser
}

/** A browser at an endpoint of clients means that somebody put a secret into a page. */
const IN_BROWSER: Problem = {
  code: 'secret_in_browser',
  detail: 'this endpoint is for backends: the secret must not be in a page. Ask for the token on your server',
}

/** Admission to the endpoints of this issuer. */
export function createAdmit({ issuer, authenticateClient, reportBrowser }: AdmitDeps): Admit {
  return async (context, path) => {
    const { request } = context
    if (isFromBrowser(request.headers)) {
      await reportBrowser('oauth', context, async () => {
        const bytes = await readBody(request)
        return findClientSecret(request.headers, [new TextDecoder().decode(bytes), queryOf(request.url)])
      })
      return fail(IN_BROWSER)
    }
    const form = await readForm(request)
    if (!form.ok) return form
    const endpoints = [`${issuer}${paths.token}`, `${issuer}${path}`]
    const client = await authenticateClient(context, form.value, endpoints)
    return client.ok ? ok({ form: form.value, client: client.value }) : client
  }
}
