// `npm run dev:worker [-- flags]`: runs the service in workerd with a local D1 database, whose tables the service creates.
// Passes all flags to `wrangler dev`, and sets the issuer and, if there is none, a new master key in .dev.vars. Prints no
// secret, because the output of a terminal is often recorded or shared.

import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { parseArgs } from 'node:util'
import { runWrangler } from './wrangler.ts'

/** A file of variables that wrangler reads; --var has priority over it. Git ignores it. */
const VARS_FILE = '.dev.vars'
const ORIGIN = 'https://www.example.com'
const MAX_PORT = 65_535

const flags = process.argv.slice(2)
const { values } = parseArgs({
  args: flags,
  strict: false,
  options: {
    port: { type: 'string' },
    ip: { type: 'string' },
    var: { type: 'string', multiple: true },
    'env-file': { type: 'string', multiple: true },
  },
})
const port = values.port ?? '8787'
if (!/^[1-9]\d{0,4}$/.test(String(port)) || Number(port) > MAX_PORT) {
  process.stderr.write(
    `--port: must be a number from 1 to ${MAX_PORT}, because it is part of the issuer URL (example: --port 8788)\n`,
  )
  process.exit(1)
}
const issuer = givenVar('CLAIMGATE_ISSUER') ?? `http://127.0.0.1:${port}`
const adminToken = givenVar('CLAIMGATE_ADMIN_TOKEN') ?? keptVar('CLAIMGATE_ADMIN_TOKEN')

if ((givenVar('CLAIMGATE_MASTER_KEY') ?? keptVar('CLAIMGATE_MASTER_KEY')) === undefined) {
  const line = `CLAIMGATE_MASTER_KEY=${randomBytes(32).toString('base64url')}\n`
  appendFileSync(VARS_FILE, existsSync(VARS_FILE) ? `\n${line}` : line, { mode: 0o600 })
  chmodSync(VARS_FILE, 0o600)
}
mkdirSync('.wrangler', { recursive: true })
/** A file with the header that contains the admin token. The printed commands make curl read it. Deleted at exit. */
const adminHeader = `.wrangler/try-admin-${port}.header`
rmSync(adminHeader, { force: true })
if (adminToken) {
  writeFileSync(adminHeader, `Authorization: Bearer ${adminToken}\n`, { mode: 0o600 })
  process.on('exit', () => rmSync(adminHeader, { force: true }))
}
process.stderr.write(`${renderBanner().join('\n')}\n\n`)
// wrangler accepts --ip and --port only once, but --var any number of times.
const ours = [
  ...(values.ip === undefined ? ['--ip', '127.0.0.1'] : []),
  ...(values.port === undefined ? ['--port', port] : []),
  '--var',
  `CLAIMGATE_ISSUER:${issuer}`,
]
runWrangler(['dev', ...ours.map(String), ...flags])

/** The value of a variable on the command line (--var); the last --var counts. Undefined when there is none. */
function givenVar(name: string): string | undefined {
  const given = (values.var ?? []).map(String).findLast((text) => text.startsWith(`${name}:`))
  return given?.slice(name.length + 1)
}

/** The value of a variable in the --env-file files, or in .dev.vars when none is given; the last value counts. */
function keptVar(name: string): string | undefined {
  const line = new RegExp(`^\\s*${name}\\s*=\\s*["']?([^\\s"']+)`, 'gm')
  return varsFiles()
    .map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
    .flatMap((text) => [...text.matchAll(line)].map(([, value]) => value))
    .at(-1)
}

function varsFiles(): readonly string[] {
  return values['env-file']?.map(String) ?? [VARS_FILE]
}

/**
 * Commands to try, like those that the server on Node prints. Here an account is created over HTTP, because the command line
 * cannot open the database of workerd.
 */
function renderBanner(): readonly string[] {
  const head = [`claimgate in workerd will be at ${issuer} when wrangler prints "Ready"`, '']
  if (!adminToken) {
    return [
      ...head,
      'To create accounts over HTTP you need an admin token. Stop this server, add a token, and start again:',
      `  $ echo "CLAIMGATE_ADMIN_TOKEN=$(openssl rand -hex 24)" >> ${varsFiles().at(-1)}`,
    ]
  }
  const token = (file: string): string => `$(sed 's/.*"token":"//; s/".*//' .wrangler/${file})`
  const keep = (file: string): string => `-o .wrangler/${file} && cat .wrangler/${file}`
  const admin = `-H @${adminHeader} -H 'Content-Type: application/json'`
  const account = JSON.stringify({ name: 'Try it', allowedOrigins: [ORIGIN] })
  const whoami = `curl -s ${issuer}/auth/whoami -H "Authorization: Bearer ${token('try-claim.json')}"`
  return [
    ...head,
    'Create an account for a customer. The answer, with the customer’s secret, is saved in .wrangler/try-account.json:',
    `  $ curl -s ${issuer}/admin/accounts ${admin} -d ${quote(account)} ${keep('try-account.json')}`,
    "Claim a browser token, as the customer's backend does:",
    `  $ curl -s ${issuer}/auth/claim -H "Authorization: Bearer ${token('try-account.json')}" -d origin=${ORIGIN} ${keep('try-claim.json')}`,
    "Use it, as the customer's page does:",
    `  $ ${whoami} -H "Origin: ${ORIGIN}"`,
    'The same token is refused from another site:',
    `  $ ${whoami} -H "Origin: https://evil.example"`,
  ]
}

/** Quotes a text as one word of a POSIX shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
