// Accounts and credentials as text for a person. `bold` is the shell's.

import type { WireAccount } from '../admin/account.ts'
import type { WireCredential } from '../admin/credential.ts'
import { commandName } from './output.ts'
import { type Emphasis, renderTable } from './table.ts'
import { describeIso, shortenIso } from './when.ts'

/** An account, one fact a line. */
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

/** Accounts, one a line; an empty text when there are none. */
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
 * Credentials, one a line. The column for the end of old secrets is there only while an old secret works. `now` is epoch
 * milliseconds.
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

/** A credential, one fact a line. `now` is epoch milliseconds. */
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

/** A new account token, or the file that holds it, and the next command to try. The third argument is the account's patterns. */
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
      ? 'claim a browser token (it asks for the account token)'
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

/** When the secret before the last rotation stops working; undefined when it has stopped, or there was none. */
function endOfOldSecret({ previousExpiresAt }: WireCredential, now: number): string | undefined {
  if (previousExpiresAt === null || Date.parse(previousExpiresAt) <= now) return undefined
  return shortenIso(previousExpiresAt)
}

/** An origin that the pattern allows. */
function exampleOrigin(pattern: string): string {
  if (pattern === '*') return 'https://www.example.com'
  return pattern.replace('://*.', '://www.').replace(/:\*$/, ':3000')
}

/** Quotes a text where a POSIX shell would not take it as one word. */
function quoteShell(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
