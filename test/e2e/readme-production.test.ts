// The shell blocks of docs/production.md, pasted in order into one shell: install, start, first customer, backup, restore,
// upgrade. Then the request of docs/admin.md. Commands that need a machine of its own are replaced: npm links this checkout, systemctl starts what the unit
// says, and users are not changed.

import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFreePort } from '../support/ports.ts'

const ROOT = join(import.meta.dirname, '../..')
const PAGE = readFileSync(join(ROOT, 'docs/production.md'), 'utf8')
const ADMIN_PAGE = readFileSync(join(ROOT, 'docs/admin.md'), 'utf8')
const LIMIT_MS = 60_000

/** The fenced blocks of the page in this language, in order. */
const blocksOf = (language: string, page = PAGE): readonly string[] =>
  [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, found, text = '']) =>
    found === language ? [text] : [],
  )

const [unit = ''] = blocksOf('ini')
const [, execStart = ''] = /^ExecStart=(.+)$/m.exec(unit) ?? []
const [, environment = ''] = /^Environment=(.+)$/m.exec(unit) ?? []

let folder: string
let outputs: readonly string[]

/** Stands for the programs of a real machine. */
const machine = (): string => `
set -eo pipefail
srv='${folder}/srv/claimgate'
npm() { mkdir -p node_modules/.bin && ln -sf '${ROOT}/scripts/claimgate.mjs' node_modules/.bin/claimgate; }
useradd() { :; }
chown() { :; }
runuser() { shift 3; "$@"; }
install() {
  local kept=()
  while [ $# -gt 0 ]; do
    case "$1" in -o|-g) shift 2 ;; *) kept+=("$1"); shift ;; esac
  done
  command install "\${kept[@]}"
}
begin() { (cd "$srv" && exec env ${environment} ${here(execStart)} >> '${folder}/log' 2>&1) & pid=$!; }
end() { kill "$pid"; wait "$pid"; }
ready() { curl -s --retry 20 --retry-connrefused --retry-delay 1 -o /dev/null "http://127.0.0.1:$PORT/readyz"; }
systemctl() {
  case "$1" in
    enable|start) begin; ready ;;
    stop) end ;;
    restart) end; begin; ready ;;
  esac
}
`

let port: number
const here = (text: string): string =>
  text
    .replaceAll('/srv/claimgate', `${folder}/srv/claimgate`)
    .replaceAll('/var/backups', `${folder}/backups`)
    .replaceAll('127.0.0.1:8787', `127.0.0.1:${port}`)

/** Runs the steps in one shell. Resolves to the standard output of each; rejects with all output when one fails. */
async function paste(steps: readonly string[]): Promise<readonly string[]> {
  const script = join(folder, 'paste.sh')
  const parts = steps.map((step, index) => `{\n${here(step)}\n} > '${folder}/${index}'`)
  writeFileSync(script, [machine(), ...parts, 'end', ''].join('\n'))
  const shell = spawn('bash', [script], {
    cwd: folder,
    env: {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: folder,
      PORT: String(port),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  let errors = ''
  shell.stderr.on('data', (part) => {
    errors += part
  })
  const timer = setTimeout(() => process.kill(-Number(shell.pid), 'SIGKILL'), LIMIT_MS)
  const code = await new Promise((resolve) => shell.once('exit', resolve))
  clearTimeout(timer)
  if (code !== 0) {
    const log = existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : ''
    throw new Error(`the shell ended with ${code}:\n${errors}\n${log}`)
  }
  return steps.map((_, index) => readFileSync(join(folder, String(index)), 'utf8'))
}

const isAbout = (text: string) => (block: string) => block.includes(text)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'claimgate-production-'))
  port = await findFreePort()
  const blocks = blocksOf('sh')
  const restore = blocks.findIndex(isAbout('systemctl stop'))
  outputs = await paste([
    ...blocks.slice(0, restore),
    'claimgate account create --name "After the backup" --origin https://late.example --token-file data/late.token',
    'claimgate account list --json',
    blocks[restore] ?? '',
    'claimgate account list --json',
    ...blocks.slice(restore + 1),
    'claimgate account list --json',
    "CLAIMGATE_ADMIN_TOKEN=$(sed -n 's/^CLAIMGATE_ADMIN_TOKEN=//p' .env)",
    ...blocksOf('sh', ADMIN_PAGE),
    `curl -s http://127.0.0.1:${port}/readyz`,
  ])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the shell blocks of docs/production.md', () => {
  const namesIn = (text: string | undefined): readonly string[] =>
    JSON.parse(text ?? '').accounts.map(({ name }: { name: string }) => name)
  /** The outputs of `account list`, in order. */
  const lists = (): readonly string[] => outputs.filter((text) => text.startsWith('{"accounts"'))

  test('start a ready server', () => {
    expect(outputs[1]).toContain('"status":"ready"')
  })

  test('keep secrets from other users', () => {
    const modeOf = (name: string): number => statSync(join(folder, 'srv/claimgate', name)).mode & 0o777
    expect(['.env', 'data', 'keys', 'data/shop.token'].map(modeOf)).toEqual([0o600, 0o700, 0o700, 0o600])
    const backup = statSync(join(folder, 'backups/claimgate/claimgate.db'))
    expect(backup.mode & 0o077).toBe(0)
  })

  test('restore the database of the backup, and nothing that came after it', () => {
    expect(lists().map(namesIn)).toEqual([['Shop', 'After the backup'], ['Shop'], ['Shop']])
  })

  test('make an admin token, with which the request of docs/admin.md creates an account', () => {
    const { account } = JSON.parse(outputs.at(-2) ?? '')
    expect(account).toMatchObject({
      name: 'Shop',
      allowedOrigins: ['https://www.shop.example'],
      scopes: ['read'],
    })
  })

  test('end with a ready server after the upgrade', () => {
    expect(outputs.at(-1)).toContain('"status":"ready"')
  })
})

test('the unit starts the program that the page installs', () => {
  expect(execStart).toBe('/srv/claimgate/node_modules/.bin/claimgate serve')
  expect(environment).toBe('NODE_ENV=production')
})
