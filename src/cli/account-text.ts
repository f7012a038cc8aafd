// Accounts and credentials as text for a person. `bold` makes text bold where the terminal supports it.

import type { WireAccount } from '../admin/account.ts'
import type { WireCredential } from '../admin/credential.ts'
import { commandName } from './output.ts'
import { type Emphasis, renderTable } from './table.ts'
import { describeIso, shortenIso } from './when.ts'

/** An account, one property per line. */
export function renderAccount(account: WireAccount): string {
  return renderTable([
    ['account', account.id],
    ['name', account.name],
    ['status', account.status],
    ['origins', account.allowedOrigins.join(', ')],
    ['scopes', renderScopes(account.scopes)],
    ['longest token', account.maxTtl === null ? "the server's limit" : `${account.maxTtl} s`],
    ['prototype', renderPrototype(account.browserPrototype)],
    ['without origin', account.requireOrigin ? 'no token' : 'tokens are issued'],
    ['created', account.createdAt],
    ['updated', account.updatedAt],
  ])
}

/** A table of accounts, one per line; an empty string when there are none. */
export function renderAccounts(accounts: readonly WireAccount[], bold: Emphasis): string {
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

/**
 * A table of credentials, one per line. The column OLD SECRET UNTIL appears only while an old secret still works. `now`
 * is epoch milliseconds.
 */
export function renderCredentials(
  credentials: readonly WireCredential[],
  now: number,
  bold: Emphasis,
): string {
  const hasOld = credentials.some((one) => endOfOldSecret(one, now) !== undefined)
  const columns: readonly (readonly [head: string, cell: (one: WireCredential) => string])[] = [
    ['CREDENTIAL', ({ id }) => id],
    ['STATUS', ({ status }) => status],
    ['CREATED', ({ createdAt }) => createdAt.slice(0, 10)],
    ['LAST USED', ({ lastUsedAt }) => (lastUsedAt === null ? 'never' : shortenIso(lastUsedAt))],
    ['EXPIRES', ({ expiresAt }) => (expiresAt === null ? 'never' : shortenIso(expiresAt))],
    ...(hasOld
      ? [['OLD SECRET UNTIL', (one: WireCredential) => endOfOldSecret(one, now) ?? ''] as const]
      : []),
    ['SCOPES', ({ scopes }) => renderScopes(scopes)],
    ['NAME', ({ name }) => name],
  ]
  const rows = credentials.map((one) => columns.map(([, cell]) => cell(one)))
  return renderTable([columns.map(([head]) => head), ...rows], bold)
}

/** A credential, one property per line. `now` is epoch milliseconds. */
export function renderCredential(accountId: string, credential: WireCredential, now: number): string {
  const { id, name, status, scopes, browserPrototype, allowLocalhost, expiresAt } = credential
  const isOpen = browserPrototype && allowLocalhost
  const old = endOfOldSecret(credential, now)
  return renderTable([
    ['credential', id],
    ['account', accountId],
    ['name', name],
    ['status', status],
    ['scopes', renderScopes(scopes)],
    ['prototype', `${renderPrototype(browserPrototype)}${isOpen ? ', also on localhost' : ''}`],
    ['expires', expiresAt === null ? 'never' : describeIso(expiresAt, now)],
    ...(old === undefined ? [] : [['old secret', `also works until ${describeIso(old, now)}`]]),
  ])
}

/**
 * A new account token or the path of its file, and a command to try next. The origin in that command is one that the
 * first of the account's patterns allows.
 */
export function renderSecret(
  token: string,
  tokenFile: string | undefined,
  [pattern = '*']: readonly string[],
  bold: Emphasis,
): string {
  const kept =
    tokenFile === undefined
      ? `Account token, shown this once and never again:\n\n  ${bold(token)}\n\nKeep it where the customer's backend can read it, never in a page.`
      : `The account token is in ${tokenFile}. It is not shown again: keep it where the customer's backend can read it.`
  const source = tokenFile === undefined ? '-' : `--token-file ${quoteShell(tokenFile)}`
  const next =
    tokenFile === undefined
      ? 'claim a browser token (the command asks for the account token)'
      : 'claim a browser token'
  const origin = quoteShell(exampleOrigin(pattern))
  return `${kept}\n\nNext, ${next}:\n  $ ${commandName} claim --origin ${origin} ${source}\n`
}

function renderScopes(scopes: readonly string[]): string {
  return scopes.join(' ') || 'none'
}

function renderPrototype(isPrototype: boolean): string {
  return isPrototype ? 'yes: pages may use its secret' : 'no'
}

/** When the secret from before the last rotation stops working; undefined when it has stopped, or there is none. */
function endOfOldSecret({ previousExpiresAt }: WireCredential, now: number): string | undefined {
  if (previousExpiresAt === null || Date.parse(previousExpiresAt) <= now) return undefined
  return shortenIso(previousExpiresAt)
}

/** An origin that the pattern allows. */
function exampleOrigin(pattern: string): string {
  if (pattern === '*') return 'https://www.example.com'
  return pattern.replace('://*.', '://www.').replace(/:\*$/, ':3000')
}

/** Quotes a text for a POSIX shell, unless it has only characters that need no quotes. */
function quoteShell(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
