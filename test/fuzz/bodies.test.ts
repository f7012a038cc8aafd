// Sends hostile JSON and forms to every endpoint that reads a body: to the service in this process, whose CPU time is
// measured, and to a real server. FUZZ_SEED repeats a run, see fuzz.ts.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import { ADMIN_TOKEN, type RunningServer, useServers } from '../support/server.ts'
import { sendToSocket, type Target, type WireRequest } from '../support/wire.ts'
import { claimToken, createAccount, createWorld, SITE, type World } from '../support/world.ts'
import { expectNoEcho, expectSound, type SeenAnswer } from './answers.ts'
import { fuzz } from './fuzz.ts'
import { type HostileRequest, hostileRequest } from './requests.ts'

interface Attacked {
  readonly world: World
  readonly plant: (text: string) => string
  readonly secrets: readonly string[]
}

const servers = useServers()
let server: RunningServer
let memory: MemoryService
let real: Attacked
let inProcess: Attacked
beforeAll(async () => {
  server = await servers.start({ env: { DATABASE_URL: 'memory:', CLAIMGATE_RATE_LIMIT: 'off' } })
  memory = await startMemory({ CLAIMGATE_RATE_LIMIT: 'off', CLAIMGATE_LOG: 'debug' })
  inProcess = await prepare(memory)
  real = await prepare({
    issuer: server.url,
    send: (request) => sendToSocket(server.url, request),
    stop: async () => undefined,
  })
})
afterAll(() => memory.stop())

/** Creates an account whose secrets the requests contain, and a second one that they may change. */
async function prepare(target: Target): Promise<Attacked> {
  const world = await createWorld(target)
  const spare = await createAccount(world, { name: 'Spare', allowedOrigins: [SITE] })
  const jwt = await claimToken(world)
  const basic = Buffer.from(`${world.clientId}:${world.clientSecret}`).toString('base64')
  const placeholders: readonly (readonly [string, string])[] = [
    ['<<token>>', world.token],
    ['<<jwt>>', jwt],
    ['<<clientId>>', world.clientId],
    ['<<clientSecret>>', world.clientSecret],
    ['<<basic>>', basic],
    ['<<admin>>', ADMIN_TOKEN],
    ['<<account>>', spare.account.id],
    ['<<spare>>', spare.credential.clientId],
  ]
  return {
    world,
    secrets: [world.token, jwt, world.clientSecret, basic, ADMIN_TOKEN],
    plant: (text) => placeholders.reduce((planted, [name, value]) => planted.replaceAll(name, value), text),
  }
}

function toWire({ method, path, headers, body, chunked }: HostileRequest, { plant }: Attacked): WireRequest {
  return {
    method,
    path: plant(path),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, plant(value)])),
    body: Buffer.from(plant(body), 'latin1'),
    chunked,
  }
}

function expectAnswer(answer: SeenAnswer, request: WireRequest, { secrets }: Attacked): void {
  expectSound(answer, request)
  expectNoEcho([...answer.headers.values()], secrets)
  // The name of an account may be any text, also a secret, and admin answers show it.
  const mayShow =
    answer.status < 400 && request.path.startsWith('/admin/') && request.path !== '/admin/explain'
  if (!mayShow) expectNoEcho([answer.text], secrets)
}

test('any body gets an answer in the documented shape, in time, without the secrets of the request', {
  timeout: 120_000,
}, async () => {
  const statuses = new Map<number, number>()
  await fuzz('bodies', 2500, hostileRequest, async (request, watch) => {
    const asked = toWire(request, inProcess)
    const linesBefore = memory.lines.length
    const answer = await watch.time(() => memory.send(asked))
    expectAnswer(answer, asked, inProcess)
    expectNoEcho(memory.lines.slice(linesBefore), inProcess.secrets)
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)

    const wire = toWire(request, real)
    expectAnswer(await sendToSocket(server.url, wire), wire, real)
  })
  // The generator must reach every stage of a request, otherwise this test would show little.
  for (const status of [200, 400, 401, 413, 415, 422]) expect([...statuses.keys()]).toContain(status)

  expect(server.child.exitCode, server.stderr()).toBeNull()
  expect(server.stdout()).not.toContain('"level":"error"')
  for (const { world } of [inProcess, real]) expect(await claimToken(world)).toMatch(/^eyJ/)
})
