// GET /docs: explains the error codes. The `type` of a problem points to a row of this page. The page loads no other
// resource.

import { problemAdvice } from '../http/advice.ts'
import type { Handler } from '../http/context.ts'
import { type ProblemCode, problems } from '../http/problem.ts'

const STYLE = `
:root { color-scheme: light dark; --line: #8883; --soft: #8881 }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 3rem auto; padding: 0 1.25rem }
h1 { font-size: 1.6rem; margin: 0 } p { margin: .4rem 0 1.6rem; opacity: .8 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .55rem .75rem; border-bottom: 1px solid var(--line); vertical-align: top }
th { font-weight: 600 } code { font: .92em ui-monospace, monospace } tr:target { background: var(--soft) }
`

/** Renders the page once; every request gets the same text. */
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

/** Turns backticks into HTML. Nothing else is escaped, because advice is constant text without HTML characters. */
function renderCode(advice: string): string {
  return advice.replace(/`([^`]+)`/g, '<code>$1</code>')
}

function renderPage(): string {
  const rows = Object.entries(problems).map(
    ([code, [status, title]]) =>
      `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${title}. ${renderCode(problemAdvice[code as ProblemCode])}</td></tr>`,
  )
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>claimgate: error codes</title><style>${STYLE}</style>
<h1>Error codes</h1><p>An error answer is <code>application/problem+json</code>, and its <code>error</code> is one of these codes. The OAuth, MultiSet and AI Fabrix endpoints use the formats of their protocols. The meaning of a code never changes.</p>
<table><thead><tr><th>Code</th><th>Status</th><th>What to do</th></tr></thead><tbody>${rows.join('\n')}</tbody></table></html>`
}
