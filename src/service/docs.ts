// GET /docs: the page that the `type` of every problem points to. Needs nothing from the internet.

import type { Handler } from '../http/context.ts'
import { type ProblemCode, problems } from '../http/problem.ts'

/** What to do about each code. */
const ADVICE: Readonly<Record<ProblemCode, string>> = {
  invalid_request: 'Mend the request; <code>errors</code> names each parameter that is at fault.',
  unauthorized: 'Check the account token or admin token: it may be mistyped, expired or revoked.',
  missing_token: 'Send the token as <code>Authorization: Bearer</code>.',
  invalid_token: 'Get a new token from your backend; if that is refused too, check issuer and audience.',
  token_expired: 'Get a new token from your backend.',
  token_revoked: 'The token, its credential or its account was ended. Ask the API provider.',
  origin_required:
    'Call from the web page the token was made for: browsers send <code>Origin</code> by themselves.',
  origin_mismatch: 'Claim a token for the origin that the page really has: scheme, host and port.',
  ip_mismatch: 'Claim the token for the address that the request really comes from, or without one.',
  proof_required: 'Present the token as <code>DPoP</code> with a proof made by its key.',
  invalid_proof: 'Make a fresh proof for this method and URL with the key of the token.',
  origin_not_allowed: 'Add the origin to the allowed origins of the account.',
  scope_not_allowed: 'Ask only for scopes that the credential holds.',
  insufficient_scope: 'Claim a token that holds the scope.',
  secret_in_browser: 'Move the secret to your server, replace it, and give the page only claimed tokens.',
  not_found: 'Check the path.',
  method_not_allowed: 'Use one of the methods in <code>Allow</code>.',
  request_timeout: 'Send the whole request within 30 seconds.',
  conflict: 'Read the present state and decide again.',
  payload_too_large: 'Send less.',
  unsupported_media_type: 'Send JSON or an urlencoded form in UTF-8.',
  rate_limited: 'Wait as long as <code>Retry-After</code> says.',
  internal: 'Try again; if it stays, give the provider the <code>requestId</code>.',
  bad_gateway: 'Try again; the logs of the service tell what was answered.',
  unavailable: 'Wait as long as <code>Retry-After</code> says and try again.',
  gateway_timeout: 'Try again shortly.',
}

const STYLE = `
:root { color-scheme: light dark; --line: #8883; --soft: #8881 }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1.25rem }
h1 { font-size: 1.6rem; margin: 0 } p { margin: .4rem 0 1.6rem; opacity: .8 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .55rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 600 } code { font: .92em ui-monospace, monospace } tr:target { background: var(--soft) }
`

/** The handler; the page is the same for everybody. */
export function createDocsHandler(): Handler {
  const page = renderPage()
  return (context) =>
    context.answer(200, page, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'public, max-age=3600',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
    })
}

function renderPage(): string {
  const rows = Object.entries(problems).map(
    ([code, [status, title]]) =>
      `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${title}. ${ADVICE[code as ProblemCode]}</td></tr>`,
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>claimgate: error codes</title><style>${STYLE}</style>
<h1>Error codes</h1><p>Every refusal is <code>application/problem+json</code>; its <code>error</code> is one of these and never changes its meaning.</p>
<table><thead><tr><th>Code</th><th>Status</th><th>What to do</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></html>`
}
