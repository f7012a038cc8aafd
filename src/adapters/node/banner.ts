// The message for the person who started the server: its URL, and commands that can be pasted. Goes to stderr, because
// stdout has log lines only. Contains no secret.

import { isSafeTransport } from '../../claims/input/plain-http.ts'
import type { Config } from '../../config/config.ts'
import { describeLostKeys } from '../../signing/open-keys.ts'

/** The command that starts this program: through npm in a checkout, through npx when installed. */
export const commandName: string = import.meta.url.endsWith('.ts')
  ? 'npm run -s claimgate --'
  : 'npx claimgate'

const ORIGIN = 'https://www.example.com'
const DEFAULT_PATH = 'data/claimgate.db'

/** Warning for log, banner and command line: new signing keys were made for a database that was used with other keys. */
export const LOST_KEYS: string = describeLostKeys('not in CLAIMGATE_KEYS_DIR (is its volume mounted?)')

/** Warning for the log. Not an error, because a private network may do without TLS. */
export const PLAIN_HTTP =
  'CLAIMGATE_ISSUER is an http URL: use https, so that nobody reads secrets and tokens on the way; verifiers accept http only with allowInsecureIssuer'

/** Whether an issuer is reached without TLS, and not on this machine. */
export function isPlainHttp(issuer: string): boolean {
  return !isSafeTransport(new URL(issuer), false)
}

/** Warnings that the banner may show. */
export interface BannerWarnings {
  /** Whether new signing keys were made for a database that was used with other keys. */
  readonly areKeysLost: boolean
}

/** Writes the banner to stderr. Each line that begins with two spaces and `$ ` can be pasted in the repository root. */
export function printBanner(config: Config, url: string, warnings: BannerWarnings): void {
  process.stderr.write(renderBanner(config, url, warnings))
}

/** The banner's text. `url` is the server's URL on this machine, where the issuer's host name may not resolve. */
export function renderBanner(
  { issuer, database, pepper }: Config,
  url: string,
  { areKeysLost }: BannerWarnings,
): string {
  const lines = [`claimgate listens on ${url}${url === issuer ? '' : `, as ${issuer}`}`, '']
  if (areKeysLost) lines.push(`Warning: ${LOST_KEYS}.`, '')
  if (database.kind !== 'sqlite') {
    lines.push(
      'Records are in memory and are lost when this process ends. Create accounts with',
      'POST /admin/accounts and the CLAIMGATE_ADMIN_TOKEN.',
      '',
    )
    return `${lines.join('\n')}\n`
  }
  // Names the server's database in the pasted line, unless it is the default one.
  const setting = database.path === DEFAULT_PATH ? '' : `DATABASE_URL=${quote(`sqlite:${database.path}`)} `
  const token = `$(sed 's/.*"token":"//; s/".*//' data/try-claim.json)`
  const whoami = `curl -s ${quote(`${url}/auth/whoami`)} -H "Authorization: Bearer ${token}"`
  lines.push(
    'Create an account for a customer; its secret is written to data/try-account.token:',
    `  $ ${setting}${commandName} account create --name "Try it" --origin ${ORIGIN} --token-file data/try-account.token --force`,
    "Claim a browser token, as the customer's backend does:",
    `  $ curl -s -X POST ${quote(`${url}/auth/claim`)} -H "Authorization: Bearer $(cat data/try-account.token)" -d origin=${ORIGIN} -o data/try-claim.json && cat data/try-claim.json`,
    "Use it, as the customer's page does:",
    `  $ ${whoami} -H "Origin: ${ORIGIN}"`,
    'See it refused from another site:',
    `  $ ${whoami} -H "Origin: https://evil.example"`,
    '',
  )
  if (pepper !== null) lines.push('The first command needs the CLAIMGATE_PEPPER of this server.', '')
  return `${lines.join('\n')}\n`
}

/** The text as one shell word. The `[` of an IPv6 address must be quoted, because a shell reads it as a pattern. */
function quote(text: string): string {
  return /^[\w:/.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
