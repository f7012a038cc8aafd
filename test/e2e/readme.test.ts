// The quick start of README, pasted block by block into one shell in a copy of the repository, and then the samples of
// docs/tokens.md for a customer's backend. Blocks run unchanged, except that `npm ci` is replaced by a link to the installed packages, which
// is faster and needs no network. If port 8787 is in use, a free port replaces it.

import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyRepository } from '../support/server.ts'

const ROOT = join(import.meta.dirname, '../..')
const SITE = 'https://www.example.com'
const SCRIPT_TIMEOUT_MS = 90_000

interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

let folder: string
/** The copy of the repository. */
let checkout: string
let port: number
let outcomes: readonly Outcome[] = []
/** The process id of `npm start`, and the process group of the shell. */
let pids: { server: number; group: number } | undefined

/** The texts of the fenced blocks that have this language, in the section of a page with this heading. */
function blocksOf(page: string, section: string, language: string): readonly string[] {
  const [, after = ''] = readFileSync(join(ROOT, page), 'utf8').split(`\n${section}\n`)
  const [text = ''] = after.split(/\n##+ /)
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
  return blocks.filter(([, found]) => found === language).map(([, , block = '']) => block)
}

const [install = '', ...quickStart] = blocksOf('README.md', '## Quick start', 'sh')
const backendShell = blocksOf('docs/tokens.md', '## The claim, by hand', 'sh')
const backendNode = blocksOf('docs/tokens.md', '## The claim, by hand', 'js')

const oauthShell = blocksOf('docs/tokens.md', '### OAuth 2.0', 'sh')

/** A block with 8787 replaced by the port that is free here. */
const here = (block: string): string => block.replaceAll('127.0.0.1:8787', `127.0.0.1:${port}`)

/** The environment of a new terminal: without the repository's Node and claimgate variables, with a free port. */
function shellEnvironment(): NodeJS.ProcessEnv {
  const path = process.env.PATH?.split(':').filter((entry) => !entry.includes('node_modules'))
  return { PATH: path?.join(':'), HOME: process.env.HOME, ...(port !== 8787 && { PORT: String(port) }) }
}

/** The given port, or any free one if it is in use. */
function findPort(wanted: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', () => (wanted === 0 ? reject(new Error('no port is free')) : resolve(findPort(0))))
    server.listen(wanted, '127.0.0.1', () => {
      const { port: found } = server.address() as AddressInfo
      server.close(() => resolve(found))
    })
  })
}

function isListening(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(!!socket.destroy()))
    socket.once('error', () => resolve(false))
  })
}

/** Runs all blocks in one shell, so that each can use what earlier ones set or started. Each block has its own output files. */
function writeScript(blocks: readonly string[]): string {
  const out = (index: number, kind: string): string => join(folder, `${index}.${kind}`)
  const lines = blocks.map(
    (block, index) =>
      `{\n${here(block)}} > '${out(index, 'stdout')}' 2> '${out(index, 'stderr')}'\necho $? > '${out(index, 'code')}'\n`,
  )
  const script = join(folder, 'paste.sh')
  writeFileSync(script, `${lines.join('\n')}\necho $! > '${join(folder, 'pid')}'\n`)
  return script
}

async function paste(blocks: readonly string[]): Promise<readonly Outcome[]> {
  const shell = spawn('bash', [writeScript(blocks)], {
    cwd: checkout,
    env: shellEnvironment(),
    stdio: 'ignore',
    detached: true,
  })
  const timer = setTimeout(() => killGroup(shell.pid), SCRIPT_TIMEOUT_MS)
  await new Promise((resolve) => shell.once('exit', resolve))
  clearTimeout(timer)
  pids = { server: Number(read('pid')), group: Number(shell.pid) }
  return blocks.map((_, index) => ({
    code: Number(read(`${index}.code`)),
    stdout: read(`${index}.stdout`),
    stderr: read(`${index}.stderr`),
  }))
}

const read = (name: string): string => readFileSync(join(folder, name), 'utf8')

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // The group has already ended.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function run(program: string, parameters: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(program, parameters, { cwd: checkout, env, timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'claimgate-readme-'))
  checkout = join(folder, 'claimgate')
  mkdirSync(checkout)
  copyRepository(checkout)
  port = await findPort(8787)
  outcomes = await paste(quickStart)
})

afterAll(() => {
  killGroup(pids?.group)
  rmSync(folder, { recursive: true, force: true })
})

describe('the quick start', () => {
  test('begins with npm ci, and has a block for each step', () => {
    expect(install).toBe('npm ci\n')
    const promised = [/^npm start &\n/, /account create/, /\/auth\/claim/, /\/auth\/whoami/, /\/auth\/whoami/]
    expect(quickStart).toEqual(promised.map((form) => expect.stringMatching(form)))
  })

  test('every block exits with 0', () => {
    expect(outcomes).toHaveLength(quickStart.length)
    for (const [index, { code, stderr }] of outcomes.entries()) {
      expect([index, code], stderr).toEqual([index, 0])
    }
  })

  test('the server starts and is ready', () => {
    expect(outcomes[0]?.stdout).toContain(`"url":"http://127.0.0.1:${port}"`)
    expect(outcomes[0]?.stdout).toContain('{"status":"ready"')
  })

  test('the account’s secret is written to a file that only its owner can read', () => {
    const file = join(checkout, 'data/first.token')
    const secret = readFileSync(file, 'utf8').trim()
    expect(secret).toMatch(/^cgk_/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    for (const { stdout, stderr } of outcomes) expect(stdout + stderr).not.toContain(secret)
  })

  test('the claim block gets a token', () => {
    expect(JSON.parse(outcomes[2]?.stdout ?? '')).toMatchObject({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      tokenType: 'Bearer',
      expiresIn: 1800,
      origin: SITE,
      scope: 'read',
    })
  })

  test('the token is accepted at the site’s origin', () => {
    expect(JSON.parse(outcomes[3]?.stdout ?? '')).toMatchObject({
      origin: SITE,
      scope: 'read',
      keyBound: false,
    })
  })

  test('the token is refused from another site', () => {
    expect(JSON.parse(outcomes[4]?.stdout ?? '')).toMatchObject({ status: 401, error: 'origin_mismatch' })
  })
})

describe('the samples for the customer’s backend', () => {
  test('are one curl line and one sample for Node', () => {
    expect([backendShell.length, backendNode.length]).toEqual([1, 1])
  })

  test('the curl line gets a token bound to origin and address', async () => {
    const { code, stdout, stderr } = await run(
      'bash',
      ['-c', here(backendShell[0] ?? '')],
      shellEnvironment(),
    )
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      origin: SITE,
      ip: '12.34.56.78',
    })
  })

  test('the sample in Node gets a token bound to origin and address', async () => {
    const file = join(folder, 'sample.mjs')
    writeFileSync(file, `${here(backendNode[0] ?? '')}\nconsole.log(JSON.stringify({ token, expiresIn }))\n`)
    const secret = readFileSync(join(checkout, 'data/first.token'), 'utf8').trim()
    const env = { ...shellEnvironment(), ACCOUNT_TOKEN: secret }
    const { code, stdout, stderr } = await run(process.execPath, [file], env)
    expect(code, stderr).toBe(0)
    const { token, expiresIn } = JSON.parse(stdout)
    expect(expiresIn).toBe(900)
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())
    expect(claims).toMatchObject({ origin: SITE, ip: '12.34.56.78', scope: 'read' })
  })
})

test('the OAuth line gets a Bearer token', async () => {
  expect(oauthShell.length).toBe(1)
  const { code, stdout, stderr } = await run('bash', ['-c', here(oauthShell[0] ?? '')], shellEnvironment())
  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ token_type: 'Bearer', expires_in: 1800, scope: 'read' })
})

test('the server stops after SIGTERM', async () => {
  expect(await isListening()).toBe(true)
  process.kill(pids?.server ?? Number.NaN, 'SIGTERM')
  await expect.poll(isListening, { timeout: 15_000 }).toBe(false)
})
