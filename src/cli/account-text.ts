// Accounts and credentials as text for a person.

import type { ShownCredential } from '../admin/accounts.ts'
import type { toWireCredential, WireAccount } from '../admin/wire.ts'
import { bold, commandName } from './output.ts'
import { renderTable } from './table.ts'

type WireCredential = ReturnType<typeof toWireCredential>

/** A new account with its secret, or with the file that holds it, and the next command to try. */
export function renderCreated(
  account: WireAccount,
  { token }: ShownCredential,
  tokenFile: string | undefined,
): string {
  const kept =
    tokenFile === undefined
      ? `Account token, shown this once and never again:\n\n  ${bold(token)}\n\nKeep it where the customer's backend can read it, never in a page.`
      : `The account token is in ${tokenFile}. It is not shown again: keep it where the customer's backend can read it.`
  const source = tokenFile === undefined ? '-' : `--token-file ${quoteShell(tokenFile)}`
  const origin = quoteShell(exampleOrigin(account.allowedOrigins[0] ?? '*'))
  const next =
    tokenFile === undefined
      ? 'claim a browser token (it asks for the account token)'
      : 'claim a browser token'
  return `${renderAccount(account)}\n${kept}\n\nNext, ${next}:\n  $ ${commandName} claim --origin ${origin} ${source}\n`
}

/** An account, one fact a line. */
export function renderAccount(account: WireAccount): string {
  return renderTable([
    ['account', account.id],
    ['name', account.name],
    ['status', account.status],
    ['origins', account.allowedOrigins.join(', ')],
    ['scopes', account.scopes.join(' ') || 'none'],
    ['longest token', account.maxTtl === null ? "the server's limit" : `${account.maxTtl} s`],
    ['prototype', account.browserPrototype ? 'yes: pages may use its secret' : 'no'],
    ['created', account.createdAt],
    ['updated', account.updatedAt],
  ])
}

/** Accounts, one a line; nothing when there are none. */
export function renderAccounts(accounts: readonly WireAccount[]): string {
  if (accounts.length === 0) return ''
  const rows = accounts.map(({ id, name, status, allowedOrigins: [first = '', ...others], createdAt }) => [
    id,
    status,
    createdAt.slice(0, 10),
    others.length === 0 ? first : `${first} and ${others.length} more`,
    name,
  ])
  return renderTable([['ACCOUNT', 'STATUS', 'CREATED', 'ORIGINS', 'NAME'], ...rows], bold)
}

/** Credentials, one a line. */
export function renderCredentials(credentials: readonly WireCredential[]): string {
  const rows = credentials.map((one) => [
    one.id,
    one.status,
    one.createdAt.slice(0, 10),
    one.expiresAt ?? 'never',
    one.scopes.join(' ') || 'none',
    one.name,
  ])
  return renderTable([['CREDENTIAL', 'STATUS', 'CREATED', 'EXPIRES', 'SCOPES', 'NAME'], ...rows], bold)
}

/** One origin that a pattern allows. */
function exampleOrigin(pattern: string): string {
  if (pattern === '*') return 'https://www.example.com'
  return pattern.replace('://*.', '://www.').replace(/:\*$/, ':3000')
}

/** A text as one word of a POSIX shell. */
function quoteShell(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
