// The banner of a start. Each command in it is run in a new shell while a server runs under npm start.

import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { renderBanner } from '../../src/adapters/node/banner.ts'
import { parseConfig } from '../../src/config/config.ts'
import { copyRepository, type RunningServer, type ServerVariables, useServers } from '../support/server.ts'

const { makeFolder, start } = useServers()

/** The environment of a second terminal: without the repository's Node, and without the server's variables. */
const SHELL = {
  PATH: process.env.PATH?.split(':')
    .filter((entry) => !entry.includes('node_modules'))
    .join(':'),
  HOME: process.env.HOME,
}

interface Pasted {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function paste(command: string, cwd: string): Promise<Pasted> {
  return new Promise((resolve) => {
    execFile('bash', ['-c', command], { cwd, env: SHELL }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

function commandsOf(banner: string): readonly string[] {
  return banner
    .split('\n')
    .filter((line) => line.startsWith('  $ '))
    .map((line) => line.slice(4))
}

async function startInCopy(env: ServerVariables): Promise<{ dir: string; server: RunningServer }> {
  const dir = makeFolder()
  copyRepository(dir)
  const standard = {
    DATABASE_URL: undefined,
    CLAIMGATE_KEYS_DIR: undefined,
    CLAIMGATE_ADMIN_TOKEN: undefined,
  }
  const server = await start({
    dir,
    env: { ...standard, ...env },
    command: ['npm', 'start', '--silent'],
    detached: true,
  })
  return { dir, server }
}

describe.concurrent('the commands work when pasted one by one', () => {
  test.each<[string, ServerVariables]>([
    ['default settings', {}],
    [
      'another issuer, all addresses, another path of the database',
      {
        HOST: '0.0.0.0',
        CLAIMGATE_ISSUER: 'https://auth.example.com',
        DATABASE_URL: "sqlite:the customer's/records.db",
      },
    ],
  ])('%s', async (_, env) => {
    const { dir, server } = await startInCopy(env)
    // stderr may be read after the listening line on stdout.
    await setTimeout(100)
    const commands = commandsOf(server.stderr())
    const [create = '', claim = '', use = '', misuse = ''] = commands
    expect(commands).toHaveLength(4)
    for (const command of [claim, use, misuse]) expect(command).toContain(server.url)

    const made = await paste(create, dir)
    expect(made, made.stderr).toMatchObject({ code: 0 })
    const secret = readFileSync(join(dir, 'data/try-account.token'), 'utf8').trim()
    expect(secret).toMatch(/^cgk_/)
    expect(statSync(join(dir, 'data/try-account.token')).mode & 0o777).toBe(0o600)
    expect(made.stdout + made.stderr).not.toContain(secret)

    const claimed = await paste(claim, dir)
    expect(claimed.code).toBe(0)
    expect(JSON.parse(claimed.stdout)).toMatchObject({
      tokenType: 'Bearer',
      origin: 'https://www.example.com',
    })

    const used = await paste(use, dir)
    expect(used.code).toBe(0)
    expect(JSON.parse(used.stdout)).toMatchObject({ origin: 'https://www.example.com', keyBound: false })

    const refused = await paste(misuse, dir)
    expect(JSON.parse(refused.stdout)).toMatchObject({ status: 401, error: 'origin_mismatch' })

    // The commands work a second time.
    expect(await paste(create, dir)).toMatchObject({ code: 0 })
    expect(JSON.parse((await paste(claim, dir)).stdout)).toHaveProperty('token')
  })
})

describe('the banner shows', () => {
  const banner = (env: ServerVariables, url: string, areKeysLost = false): string =>
    renderBanner(parseConfig(env), url, { areKeysLost })

  test('where the server listens, and the issuer when that is different', () => {
    const url = 'http://127.0.0.1:9000'
    expect(banner({ PORT: '9000' }, url)).toMatch(/^claimgate listens on http:\/\/127\.0\.0\.1:9000\n/)
    expect(banner({ CLAIMGATE_ISSUER: 'https://auth.example.com' }, url)).toMatch(
      /^claimgate listens on http:\/\/127\.0\.0\.1:9000, as https:\/\/auth\.example\.com\n/,
    )
  })

  test('IPv6 URLs in quotes, because a shell reads brackets as a pattern', () => {
    const lines = commandsOf(banner({ HOST: '::1' }, 'http://[::1]:8787'))
    for (const line of lines.slice(1)) expect(line).toContain(" 'http://[::1]:8787/auth/")
  })

  test('no secret', () => {
    const secret = 'a-marked-secret-of-thirty-two-or-more-characters'
    const text = banner({ CLAIMGATE_PEPPER: secret, CLAIMGATE_ADMIN_TOKEN: secret }, 'http://127.0.0.1:8787')
    expect(text).not.toContain(secret)
    expect(text).toContain('CLAIMGATE_PEPPER')
  })

  test('a warning when the keys of earlier tokens are missing', () => {
    const url = 'http://127.0.0.1:8787'
    expect(banner({}, url)).not.toContain('Warning')
    for (const env of [{}, { DATABASE_URL: 'memory:' }])
      expect(banner(env, url, true)).toMatch(/^Warning: new signing keys .*CLAIMGATE_KEYS_DIR/m)
  })

  test('no command for a database in memory, which other processes cannot reach', () => {
    const text = banner({ DATABASE_URL: 'memory:' }, 'http://127.0.0.1:8787')
    expect(commandsOf(text)).toEqual([])
    expect(text).toContain('POST /admin/accounts')
  })
})
