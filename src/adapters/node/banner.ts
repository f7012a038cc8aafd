// The message for the person who started the server: its URL, and commands that work when pasted. Goes to stderr,
// because
// stdout has log lines only. Contains no secret.

import type { Config } from '../../config/config.ts'
import { describeLostKeys } from '../../signing/open-keys.ts'

const ORIGIN = 'https://www.example.com'
const DEFAULT_PATH = 'data/claimgate.db'

/** Warning of the log, the banner and the command line when new keys were made for a database used with other keys. */
export const KEYS_GONE: string = describeLostKeys('not in CLAIMGATE_KEYS_DIR (is its volume mounted?)')

/** Warnings that the banner may show. */
export interface BannerWarnings {
  /** Whether new signing keys were made for a database that was used with other keys. */
  readonly haveKeysGone: boolean
}

/** Prints the banner. Each line that begins with two spaces and `$ ` works in the repository root. */
export function printBanner(config: Config, url: string, warnings: BannerWarnings): void {
  process.stderr.write(renderBanner(config, url, warnings))
}

/** The banner's text. `url` is where this machine reaches the server: the issuer may only resolve elsewhere. */
export function renderBanner(
  { issuer, database, pepper }: Config,
  url: string,
  { haveKeysGone }: BannerWarnings,
): string {
  const lines = [`claimgate listens on ${url}${url === issuer ? '' : `, as ${issuer}`}`, '']
  if (haveKeysGone) lines.push(`Warning: ${KEYS_GONE}.`, '')
  if (database.kind !== 'sqlite') {
    lines.push(
      'Records live in memory and end with this process: make accounts with POST /admin/accounts,',
      'which CLAIMGATE_ADMIN_TOKEN opens.',
      '',
    )
    return `${lines.join('\n')}\n`
  }
  // The same database wherever the line is pasted.
  const setting = database.path === DEFAULT_PATH ? '' : `DATABASE_URL=${quote(`sqlite:${database.path}`)} `
  const token = `$(sed 's/.*"token":"//; s/".*//' data/try-claim.json)`
  const whoami = `curl -s ${quote(`${url}/auth/whoami`)} -H "Authorization: Bearer ${token}"`
  lines.push(
    'Make an account for a customer; its secret is kept in data/try-account.token:',
    `  $ ${setting}npm run -s claimgate -- account create --name "Try it" --origin ${ORIGIN} --token-file data/try-account.token`,
    "Claim a browser token, as the customer's backend does:",
    `  $ curl -s -X POST ${quote(`${url}/auth/claim`)} -H "Authorization: Bearer $(cat data/try-account.token)" -d origin=${ORIGIN} -o data/try-claim.json && cat data/try-claim.json`,
    "Use it, as the customer's page does:",
    `  $ ${whoami} -H "Origin: ${ORIGIN}"`,
    'See it refused from another site:',
    `  $ ${whoami} -H "Origin: https://evil.example"`,
    '',
  )
  if (pepper !== null) lines.push('The first line needs the CLAIMGATE_PEPPER of this server.', '')
  return `${lines.join('\n')}\n`
}

/** The text as one word of a shell. The `[` of an IPv6 address would be a pattern. */
function quote(text: string): string {
  return /^[\w:/.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
