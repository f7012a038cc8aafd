// Searches the output and the database of a server for secrets, tokens and the admin token. The error names the place and
// the kind of what was found, not the value. The folder of signing keys is not searched, because it must contain them.

import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseAccountToken } from '../../src/claims/records/account-token.ts'

/** The output of a server, and where its files are. */
export interface Remains {
  /** Working directory of the server. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly stdout: string
  readonly stderr: string
}

const SECRETS: readonly (readonly [kind: string, isIn: (text: string) => boolean])[] = [
  // With its checksum, because 100 000 random ids are likely to contain a text of this form.
  [
    'an account token',
    (text) => (text.match(ACCOUNT_TOKENS) ?? []).some((one) => parseAccountToken(one) !== undefined),
  ],
  // The first part of a JWT is a JSON object, whose base64url begins with `eyJ`. The last part is empty when unsigned.
  ['a JWT', (text) => /eyJ[\w-]{8,}\.[\w-]{8,}\./.test(text)],
]
const ACCOUNT_TOKENS = /cgk_[0-9A-Za-z]+_[0-9A-Za-z]+_[0-9A-Za-z]{6}/g

/** Throws when the output or the database of a server contains a secret. */
export function expectNoLeak({ cwd, env, stdout, stderr }: Remains): void {
  const adminToken = env.CLAIMGATE_ADMIN_TOKEN
  for (const [place, text] of [['stdout', stdout], ['stderr', stderr], ...readDatabase(cwd, env)] as const) {
    const found = SECRETS.filter(([, isIn]) => isIn(text)).map(([kind]) => kind)
    if (adminToken && text.includes(adminToken)) found.push('the admin token')
    if (found.length > 0) throw new Error(`the server wrote ${found.join(' and ')} to ${place}`)
  }
}

/** The existing files of the database as Latin-1: one character for each byte. */
function readDatabase(cwd: string, { DATABASE_URL: url = 'sqlite:data/claimgate.db' }: NodeJS.ProcessEnv) {
  if (!url.startsWith('sqlite:')) return []
  const file = resolve(cwd, url.slice('sqlite:'.length))
  return ['', '-wal', '-shm']
    .map((suffix) => file + suffix)
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
    .map((path) => [path, readFileSync(path, 'latin1')] as const)
}
