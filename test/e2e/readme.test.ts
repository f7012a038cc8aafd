// README's quick start, pasted block after block into one shell in a copy of the repository, and then what it tells a
// customer's backend. Every block runs as it stands but the first: `npm ci` is replaced by a link to the packages that
// are here already, which is quicker and needs no network. Where 8787 is taken, another port is written for it.

import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyRepository } from '../support/server.ts'

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
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
/** Of `npm start`, and of the group that the shell and all it started are in. */
let pids: { server: number; group: number } | undefined

/** Texts of the fenced blocks of a language in a section. */
function blocksOf(section: string, language: string): readonly string[] {
  const [, after = ''] = README.split(`\n## ${section}\n`)
  const [text = ''] = after.split('\n## ')
  const blocks = [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
  return blocks.filter(([, found]) => found === language).map(([, , block = '']) => block)
}

const [install = '', ...quickStart] = blocksOf('Quick start', 'sh')
const backendShell = blocksOf('The claim, by hand', 'sh')
const backendNode = blocksOf('The claim, by hand', 'js')

const oauthShell = blocksOf('Other ways to a token', 'sh')

/** A block with the port that is free here. */
const here = (block: string): string => block.replaceAll('127.0.0.1:8787', `127.0.0.1:${port}`)

/** What a new terminal has: neither the repository's own Node nor a variable of ours but a port that is free. */
function shellEnvironment(): NodeJS.ProcessEnv {
  const path = process.env.PATH?.split(':').filter((entry) => !entry.includes('node_modules'))
  return { PATH: path?.join(':'), HOME: process.env.HOME, ...(port !== 8787 && { PORT: String(port) }) }
}

/** The port, or any free one where it is taken. */
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

/** One shell for all blocks: what one sets or starts, the next may use. Each writes to files of its own. */
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
    // Nobody is left.
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
  test('installs, and has a block for each thing that it promises', () => {
    expect(install).toBe('npm ci\n')
    const promised = [/^npm start &\n/, /account create/, /\/auth\/claim/, /\/auth\/whoami/, /\/auth\/whoami/]
    expect(quickStart).toEqual(promised.map((form) => expect.stringMatching(form)))
  })

  test('every block ends well', () => {
    expect(outcomes).toHaveLength(quickStart.length)
    for (const [index, { code, stderr }] of outcomes.entries()) {
      expect([index, code], stderr).toEqual([index, 0])
    }
  })

  test('the server starts and is ready', () => {
    expect(outcomes[0]?.stdout).toContain(`"url":"http://127.0.0.1:${port}"`)
    expect(outcomes[0]?.stdout).toContain('{"status":"ready"')
  })

  test('the account’s secret goes to a file that only its owner reads', () => {
    const file = join(checkout, 'data/first.token')
    const secret = readFileSync(file, 'utf8').trim()
    expect(secret).toMatch(/^cgk_/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    for (const { stdout, stderr } of outcomes) expect(stdout + stderr).not.toContain(secret)
  })

  test('a token is claimed', () => {
    expect(JSON.parse(outcomes[2]?.stdout ?? '')).toMatchObject({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      tokenType: 'Bearer',
      expiresIn: 1800,
      origin: SITE,
      scope: 'read',
    })
  })

  test('the token works', () => {
    expect(JSON.parse(outcomes[3]?.stdout ?? '')).toMatchObject({
      origin: SITE,
      scope: 'read',
      keyBound: false,
    })
  })

  test('it is refused from another site', () => {
    expect(JSON.parse(outcomes[4]?.stdout ?? '')).toMatchObject({ status: 401, error: 'origin_mismatch' })
  })
})

describe('what the customer’s backend is told', () => {
  test('there is one line for a shell and one sample for Node', () => {
    expect([backendShell.length, backendNode.length]).toEqual([1, 1])
  })

  test('the curl line', async () => {
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

  test('the sample in Node', async () => {
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

test('the OAuth line of the other doors', async () => {
  expect(oauthShell.length).toBe(1)
  const { code, stdout, stderr } = await run('bash', ['-c', here(oauthShell[0] ?? '')], shellEnvironment())
  expect(code, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ token_type: 'Bearer', expires_in: 1800, scope: 'read' })
})

test('killed by its pid, the server stops', async () => {
  expect(await isListening()).toBe(true)
  process.kill(pids?.server ?? Number.NaN, 'SIGTERM')
  await expect.poll(isListening, { timeout: 15_000 }).toBe(false)
})
