// Starts the real program as a process, to test what depends on one. Most other CLI tests call it as a function.

import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { createClientSecret, formatAccountToken } from '../../src/signing/secret.ts'
import { createMachine, type Machine, readKey } from './run.ts'
import { createShop, ORIGIN } from './shop.ts'

const CREATE = ['account', 'create', '--origin', '*', '--json', '--name']

async function startAndParse(machine: Machine, argv: readonly string[], stdin = '') {
  const { code, stdout, stderr } = await machine.start(argv, { stdin })
  const reads = argv[0] === 'claim'
  expect([code, stderr]).toEqual([0, reads ? `{"database":"${machine.env.DATABASE_URL}"}\n` : ''])
  return JSON.parse(stdout)
}

test('ends with exit code 0, 1 for a failure and 2 for a wrong command line', async () => {
  const machine = createMachine()
  const version = await machine.start(['--version'])
  expect(version).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' })
  const env = { PORT: 'x' }
  for (const [argv, code] of [
    [['account', 'list'], 1] as const,
    [['serve'], 1] as const,
    [['lst'], 2] as const,
  ]) {
    const failed = await machine.start(argv, { env })
    expect([argv, failed]).toEqual([argv, { code, stdout: '', stderr: expect.stringMatching(/^claimgate/) }])
  }
})

test('reads a pipe on stdin, and .env in the working directory', async () => {
  const shop = await createShop()
  writeFileSync(join(shop.dir, '.env'), `CLAIMGATE_ACCOUNT_TOKEN=${shop.token}\nCLAIMGATE_TOKEN_TTL=60\n`)
  const claim = ['claim', '--origin', ORIGIN, '--json']
  expect(await startAndParse(shop, claim)).toMatchObject({ expiresIn: 60 })
  expect(await startAndParse(shop, [...claim, '-'], `${shop.token}\n`)).toMatchObject({ expiresIn: 60 })
})

test('commands that read, and claim, create no database and exit with 1 when there is none', async () => {
  const machine = createMachine()
  const env = {
    CLAIMGATE_ACCOUNT_TOKEN: formatAccountToken(createClientSecret()),
    DATABASE_URL: 'sqlite:no/x.db',
  }
  for (const argv of [
    ['account', 'list'],
    ['audit', 'list'],
    ['revocation', 'list'],
    ['claim', '--origin', ORIGIN],
  ]) {
    const { code, stdout, stderr } = await machine.start(argv, { env })
    expect([argv, code, stdout]).toEqual([argv, 1, ''])
    expect(stderr).toMatch(/^claimgate: database file no\/x\.db does not exist; check DATABASE_URL/)
  }
  expect(readdirSync(machine.dir)).toEqual([])
})

test('works through npm in a checkout', async () => {
  const { stdout } = await promisify(execFile)('npm', ['run', '-s', 'claimgate', '--', '--version'])
  expect(stdout.trim()).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version)
})

/** Runs `--help` with stdout on a file descriptor, or on a pipe whose reader has closed it. */
function printHelp(target: number | 'closed pipe'): Promise<{ code: number | null; stderr: string }> {
  const stdout = target === 'closed pipe' ? 'pipe' : target
  const child = spawn(process.execPath, ['scripts/claimgate.mjs', '--help'], {
    stdio: ['ignore', stdout, 'pipe'],
  })
  child.stdout?.destroy()
  let stderr = ''
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  return new Promise((done) => child.once('close', (code) => done({ code, stderr })))
}

test('ends quietly when the reader of its output has gone away', async () => {
  expect(await printHelp('closed pipe')).toEqual({ code: 0, stderr: '' })
})

test('prints one line and exits with 1 when its result cannot be written', async () => {
  const full = openSync('/dev/full', 'w')
  const stderr = 'claimgate: the result cannot be written (ENOSPC); check the disk\n'
  expect(await printHelp(full)).toEqual({ code: 1, stderr })
  closeSync(full)
})

test('several processes that start together create one database, all their accounts and one set of keys', async () => {
  const machine = createMachine()
  const made = await Promise.all(['a', 'b', 'c'].map((name) => startAndParse(machine, [...CREATE, name])))
  const { accounts } = await machine.json(['account', 'list'])
  expect(accounts.map(({ id }: { id: string }) => id).sort()).toEqual(
    made.map(({ account }) => account.id).sort(),
  )

  const claim = ['claim', '--origin', ORIGIN, '--json', '-']
  const claims = await Promise.all(
    made.slice(1).map(({ credential }) => startAndParse(machine, claim, credential.token)),
  )
  expect(readdirSync(join(machine.dir, 'keys')).filter((name) => name.endsWith('.json'))).toHaveLength(2)
  for (const { token } of claims) {
    expect(await machine.json(['inspect', token])).toMatchObject({
      validSignature: 'yes',
      header: { kid: readKey(machine.dir, 'current').kid },
    })
  }
})

test('on an older Node prints which version it needs, instead of crashing', async () => {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.12.0' } })`
  const nodeArguments = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`]
  const { code, stdout, stderr } = await createMachine().start(['--version'], { nodeArguments })
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/^claimgate needs Node 22\.18 or later/)
})
