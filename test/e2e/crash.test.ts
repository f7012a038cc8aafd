// A server that is killed right after it acknowledged a write, and two servers on one database file: every acknowledged
// record, key and token survives.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ADMIN_TOKEN, useServers } from '../support/server.ts'
import type { Json } from '../support/wire.ts'
import { SITE } from '../support/world.ts'

const { makeFolder, start } = useServers()

/** A fixed issuer, because each start gets another port. */
const env = { CLAIMGATE_ISSUER: 'https://auth.example.com', CLAIMGATE_RATE_LIMIT: 'off' }

interface Made {
  readonly account: { readonly id: string }
  readonly credential: { readonly token: string }
}

/** Calls the admin API: POST with a body, otherwise GET. Rejects on another status than `status` and when the body is cut off. */
async function admin(url: string, path: string, status: number, body?: object): Promise<Json> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }
  const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) }
  const answer = await fetch(`${url}/admin${path}`, init)
  expect(answer.status).toBe(status)
  return answer.json()
}

function create(url: string, name: string): Promise<Made> {
  return admin(url, '/accounts', 201, { name, allowedOrigins: [SITE] })
}

async function claim(url: string, { credential }: Made): Promise<Response> {
  const body = new URLSearchParams({ token: credential.token, origin: SITE })
  return fetch(`${url}/auth/claim`, { method: 'POST', body })
}

async function whoami(url: string, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, origin: SITE }
  return (await fetch(`${url}/auth/whoami`, { headers })).status
}

/** Reads all pages of a list. */
async function listAll(url: string, path: string, member: string): Promise<readonly Json[]> {
  const found: Json[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const page: Json = await admin(url, `${path}?limit=200${cursor && `&cursor=${cursor}`}`, 200)
    found.push(...page[member])
    cursor = page.nextCursor
  }
  return found
}

async function expectAllThere(url: string, acknowledged: readonly Made[]): Promise<void> {
  const ids = (await listAll(url, '/accounts', 'accounts')).map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(acknowledged.filter(({ account }) => !ids.includes(account.id))).toEqual([])
  // A write and its audit entry are one transaction: each account has an entry, and each entry an account.
  const audited = (await listAll(url, '/audit', 'entries')).filter(
    ({ action }) => action === 'account.create',
  )
  expect(audited.map(({ target }) => target).sort()).toEqual(ids.sort())
}

test.concurrent('kill -9 at the first acknowledgement, 20 times: no acknowledged record is lost', async () => {
  const dir = makeFolder()
  const acknowledged: Made[] = []
  const tokens: string[] = []
  for (let round = 0; round < 20; round++) {
    const server = await start({ dir, env })
    const last = acknowledged.at(-1)
    if (last !== undefined) {
      const claimed = await claim(server.url, last)
      expect(claimed.status, `round ${round}`).toBe(200)
      tokens.push((await claimed.json()).token)
    }
    const creates = Array.from({ length: 5 }, async (_, index) => {
      const made = await create(server.url, `${round}/${index}`)
      server.kill()
      return made
    })
    const answered = (await Promise.allSettled(creates)).filter((one) => one.status === 'fulfilled')
    expect(answered.length).toBeGreaterThan(0)
    expect(await server.exited).toBeNull()
    acknowledged.push(...answered.map(({ value }) => value))
  }

  const { url } = await start({ dir, env })
  await expectAllThere(url, acknowledged)
  for (const made of acknowledged) expect((await claim(url, made)).status).toBe(200)
  expect(tokens).toHaveLength(19)
  for (const token of tokens) expect(await whoami(url, token)).toBe(200)
  // The first start made the keys; later starts made no others.
  expect(readdirSync(join(dir, 'keys')).filter((name) => name.endsWith('.json'))).toHaveLength(2)
})

test.concurrent('two servers on one file use the same keys and records, and 100 parallel writes lose none', async () => {
  const dir = makeFolder()
  const both = await Promise.all([start({ dir, env }), start({ dir, env })])
  const [{ url: one }, { url: other }] = both
  const [keys, otherKeys] = await Promise.all(
    [one, other].map(async (url) => (await fetch(`${url}/.well-known/jwks.json`)).json()),
  )
  expect(keys.keys).toHaveLength(2)
  expect(otherKeys).toEqual(keys)

  const first = await create(one, 'first')
  const deadline = performance.now() + 2000
  let claimed = await claim(other, first)
  while (claimed.status !== 200 && performance.now() < deadline) {
    await setTimeout(50)
    claimed = await claim(other, first)
  }
  expect(claimed.status).toBe(200)
  expect(await whoami(one, (await claimed.json()).token)).toBe(200)

  const creates = Array.from({ length: 50 }, (_, index) => [
    create(one, `a${index}`),
    create(other, `b${index}`),
  ])
  const made = await Promise.all(creates.flat())
  expect(made).toHaveLength(100)
  for (const url of [one, other]) await expectAllThere(url, [first, ...made])

  // When one server is killed, the other continues to work.
  both[0].kill()
  await both[0].exited
  const after = await create(other, 'after')
  expect((await claim(other, after)).status).toBe(200)
  await expectAllThere(other, [first, ...made, after])
})
