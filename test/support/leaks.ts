// Searches everything that a server wrote for what it must never write: secrets, tokens, the admin token.
// Tells where and of which kind, never what it is. Private keys have a folder of their own, where they may stand.

import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

/** What a server left behind, and how it was started. */
export interface Remains {
  /** Working directory. */
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  readonly stdout: string
  readonly stderr: string
}

const SECRETS: readonly (readonly [kind: string, form: RegExp])[] = [
  ['an account token', /cgk_[0-9A-Za-z]+_[0-9A-Za-z]+_[0-9A-Za-z]{6}/],
  // Three parts, of which the first is a JSON object; the signature of an unsigned one is empty.
  ['a JWT', /eyJ[\w-]{8,}\.[\w-]{8,}\./],
]

/** Throws when a secret stands in a server's output or database. */
export function expectNoLeak({ cwd, env, stdout, stderr }: Remains): void {
  const adminToken = env.CLAIMGATE_ADMIN_TOKEN
  for (const [place, text] of [['stdout', stdout], ['stderr', stderr], ...readDatabase(cwd, env)] as const) {
    const found = SECRETS.filter(([, form]) => form.test(text)).map(([kind]) => kind)
    if (adminToken && text.includes(adminToken)) found.push('the admin token')
    if (found.length > 0) throw new Error(`the server wrote ${found.join(' and ')} to ${place}`)
  }
}

/** The files of the database that are there, as text of one character for each byte. */
function readDatabase(cwd: string, { DATABASE_URL: url = 'sqlite:data/claimgate.db' }: NodeJS.ProcessEnv) {
  if (!url.startsWith('sqlite:')) return []
  const file = resolve(cwd, url.slice('sqlite:'.length))
  return ['', '-wal', '-shm']
    .map((suffix) => file + suffix)
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())
    .map((path) => [path, readFileSync(path, 'latin1')] as const)
}
