// Mistakes of an operator who starts the server, each in a folder of its own.

import { chmodSync, mkdirSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Mistake, testMistakes } from '../support/mistake.ts'
import { runServer, type ServerVariables, useServers } from '../support/server.ts'
import { sendToSocket } from '../support/wire.ts'
import { claimToken, createWorld } from '../support/world.ts'

const { makeFolder, start } = useServers()

/** What a server prints that cannot start with these variables. */
async function failToStart(
  env: ServerVariables,
  dir: string = makeFolder(),
  runAs?: number,
): Promise<string> {
  const { code, stderr } = await runServer({ dir, env, ...(runAs !== undefined && { runAs }) })
  expect(code, stderr).toBe(1)
  return stderr
}

/** The first line of a server's log that contains this text. */
async function lineWith(text: string, readLog: () => string): Promise<string> {
  await expect.poll(readLog).toContain(text)
  return (
    readLog()
      .split('\n')
      .find((line) => line.includes(text)) ?? ''
  )
}

const mistakes: readonly Mistake[] = [
  {
    mistake: 'a misspelt variable',
    make: () => failToStart({ CLAIMGATE_ISUER: 'https://auth.example.com' }),
    names: /CLAIMGATE_ISUER: .*CLAIMGATE_ISSUER/,
    advises: /\(example: .+\)/,
  },
  {
    mistake: 'a variable of the service without its prefix',
    make: () => failToStart({ CLAIMGATE_PORT: '8787' }),
    names: /CLAIMGATE_PORT: .*\bPORT\b/,
    advises: /\(example: PORT=/,
  },
  {
    mistake: 'an issuer that is no URL',
    make: () => failToStart({ CLAIMGATE_ISSUER: 'auth.example.com' }),
    names: /CLAIMGATE_ISSUER: /,
    advises: /\(example: CLAIMGATE_ISSUER=https:\/\/auth\.example\.com\)/,
  },
  {
    mistake: 'http in place of https for the issuer',
    make: async () => {
      const server = await start({ env: { CLAIMGATE_ISSUER: 'http://auth.example.com' } })
      return lineWith('CLAIMGATE_ISSUER', server.stdout)
    },
    names: /"level":"warn".*CLAIMGATE_ISSUER is an http URL/,
    advises: /use https/,
  },
  {
    mistake: 'a port that another program uses',
    make: async () => {
      const other = createServer()
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      try {
        return await failToStart({ PORT: String((other.address() as AddressInfo).port) })
      } finally {
        other.close()
      }
    },
    names: /PORT: another process listens there/,
    advises: /stop it, or choose another port \(example: PORT=/,
  },
  {
    mistake: 'two servers on one port',
    make: async () => {
      const { url } = await start()
      return failToStart({ PORT: new URL(url).port })
    },
    names: /PORT: another process listens there/,
    advises: /\(example: PORT=/,
  },
  {
    mistake: 'a folder that cannot be written',
    make: async () => {
      const dir = makeFolder()
      const records = join(dir, 'records')
      mkdirSync(records)
      chmodSync(dir, 0o755)
      chmodSync(records, 0o555)
      return failToStart({ DATABASE_URL: `sqlite:${join(records, 'claimgate.db')}` }, dir, OTHER_USER)
    },
    names: /records\/claimgate\.db is read-only/,
    advises: /let the server write to it and to its folder/,
  },
  {
    mistake: 'a folder for keys that cannot be written',
    make: async () => {
      const dir = makeFolder()
      chmodSync(dir, 0o777)
      const keys = join(dir, 'keys')
      mkdirSync(keys)
      chmodSync(keys, 0o555)
      return failToStart({ CLAIMGATE_KEYS_DIR: keys }, dir, OTHER_USER)
    },
    names: /keys: cannot be read or written/,
    advises: /check its owner, its mode and the disk, or choose another CLAIMGATE_KEYS_DIR/,
  },
  {
    mistake: 'a wrong proxy trust at forward auth',
    make: async () => {
      const server = await start({ env: { CLAIMGATE_TRUSTED_PROXIES: '10.0.0.0/8' } })
      const send = (wire: Parameters<typeof sendToSocket>[1]) => sendToSocket(server.url, wire)
      const world = await createWorld({ issuer: server.url, send, stop: server.stop })
      const headers = {
        authorization: `Bearer ${await claimToken(world)}`,
        'x-forwarded-method': 'GET',
        'x-forwarded-uri': '/things',
        'x-forwarded-host': 'api.example.com',
      }
      expect((await fetch(`${server.url}/auth/verify`, { headers })).status).toBe(401)
      return lineWith('CLAIMGATE_TRUSTED_PROXIES', server.stdout)
    },
    names: /CLAIMGATE_TRUSTED_PROXIES does not name it/,
    advises: /"peer":"127\.0\.0\.1"/,
  },
]

/** A user that may not write what root owns. Tests run as root in containers, and root may write everything. */
const OTHER_USER = process.getuid?.() === 0 ? 65_534 : undefined

testMistakes(mistakes)

test('an issuer with a slash at its end is no mistake', async () => {
  const server = await start({ env: { CLAIMGATE_ISSUER: 'https://auth.example.com/' } })
  const metadata = await (await fetch(`${server.url}/.well-known/oauth-authorization-server`)).json()
  expect(metadata.issuer).toBe('https://auth.example.com')
})
