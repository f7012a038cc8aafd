// The samples of a customer's client-token endpoint in other languages, each as a real process in front of a real issuer.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { admin } from '../support/admin-api.ts'
import { createMaker } from '../support/dpop-maker.ts'
import { findFreePort } from '../support/ports.ts'
import { useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { payloadOf } from '../support/world.ts'

const FOLDER = join(import.meta.dirname, '../examples/customer')
const SITE = 'https://www.example.com'
const API = 'https://api.example.com/v1'

const samples = [{ language: 'Python', command: 'python3', args: [join(FOLDER, 'client_token.py')] }] as const

const servers = useServers()

describe.each(samples)('$language', ({ command, args }) => {
  const isMissing = spawnSync(command, ['--version']).status !== 0
  let child: ChildProcess
  let url: string
  let output = ''

  beforeAll(async () => {
    if (isMissing) return
    const issuer = await servers.start()
    const { credential } = await admin(issuer.url, 'POST', '/accounts', {
      body: { name: 'Shop', allowedOrigins: [SITE], scopes: ['read'] },
      status: 201,
    })
    const port = await findFreePort()
    url = `http://127.0.0.1:${port}/api/client-token`
    child = spawn(command, args, {
      env: {
        ...process.env,
        PORT: String(port),
        CLAIMGATE_ISSUER: issuer.url,
        CLAIMGATE_ACCOUNT_TOKEN: credential.token,
        CLAIMGATE_API_URL: API,
        SITE_ORIGIN: SITE,
      },
    })
    child.stdout?.on('data', (part) => {
      output += part
    })
    for (let tries = 0; tries < 100; tries += 1) {
      if (
        await fetch(url, { method: 'POST' }).then(
          () => true,
          () => false,
        )
      )
        return
      await sleep(100)
    }
    throw new Error('the sample does not listen')
  })
  afterAll(() => void child?.kill())

  const ask = async (headers: Readonly<Record<string, string>>, body?: string): Promise<Json> => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { origin: SITE, cookie: 'a=b; session=1', ...headers },
      ...(body !== undefined && { body }),
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    return { status: answer.status, body: await answer.json() }
  }

  test.skipIf(isMissing)(
    'gives a signed-in visitor a token for the site, and says where the API is',
    async () => {
      const { status, body } = await ask({})
      expect([status, body.tokenType, body.config.baseUrl]).toEqual([200, 'Bearer', API])
      expect(payloadOf(body.token).origin).toBe(SITE)
      expect(body.expiresIn).toBeGreaterThan(60)
    },
  )

  test.skipIf(isMissing)('binds the token to the key of the browser', async () => {
    const { jkt } = await createMaker('ES256')
    const { status, body } = await ask(
      { 'content-type': 'application/json' },
      JSON.stringify({ jkt, other: 1 }),
    )
    expect([status, body.tokenType, payloadOf(body.token).cnf]).toEqual([200, 'DPoP', { jkt }])
  })

  test.skipIf(isMissing).each<[string, Readonly<Record<string, string>>, string | undefined, number]>([
    ['another origin', { origin: 'https://evil.example' }, undefined, 403],
    ['a visitor who is not signed in', { cookie: '' }, undefined, 401],
    ['a body that is not JSON', {}, '{', 400],
    ['a key that the issuer refuses', {}, '{"jkt":"short"}', 502],
  ])('refuses %s', async (_, headers, body, expected) => {
    const { status, body: answer } = await ask(headers, body)
    expect([status, typeof answer.error]).toEqual([expected, 'string'])
    expect(JSON.stringify(answer)).not.toMatch(/cgk_|jkt/)
  })

  test.skipIf(isMissing)('writes why the issuer refused to its log, without the secret', async () => {
    await ask({}, '{"jkt":"short"}')
    await expect.poll(() => output).toContain('no client token: 422')
    expect(output).not.toContain('cgk_')
  })
})
