// Sends request heads and bodies as bytes to a real server: broken request lines, unusual bytes in headers, all forms of
// targets, contradictory framing. FUZZ_SEED repeats a run, see fuzz.ts.

import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { ADMIN_TOKEN, type RunningServer, useServers } from '../support/server.ts'
import { sendToSocket } from '../support/wire.ts'
import { createWorld, type World } from '../support/world.ts'
import { expectNoEcho, expectSound } from './answers.ts'
import { type Connection, connection } from './connections.ts'
import { fuzz, LIMIT_MS } from './fuzz.ts'
import { exchangeBytes, mainThreadMs, parseAnswers } from './raw.ts'

const servers = useServers()
let server: RunningServer
let world: World
let port: number
beforeAll(async () => {
  server = await servers.start({ env: { DATABASE_URL: 'memory:', CLAIMGATE_RATE_LIMIT: 'off' } })
  port = Number(new URL(server.url).port)
  world = await createWorld({
    issuer: server.url,
    send: (request) => sendToSocket(server.url, request),
    stop: async () => undefined,
  })
})

function plant(text: string): string {
  return text.replaceAll('<<secret>>', world.token).replaceAll('<<admin>>', ADMIN_TOKEN)
}

function toPieces({ text, cuts }: Connection): readonly string[] {
  const bytes = plant(text)
  const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.slice(places[index], end))
}

/** Calls `work`. Resolves to the CPU time of the server's main thread meanwhile, in milliseconds. */
async function serverMs(work: () => Promise<void>): Promise<number> {
  const { pid = 0 } = server.child
  const before = mainThreadMs(pid)
  const started = performance.now()
  await work()
  const after = mainThreadMs(pid)
  return before === undefined || after === undefined ? performance.now() - started : after - before
}

async function tryConnection(one: Connection): Promise<number> {
  const text = await exchangeBytes(port, toPieces(one))
  const answers = parseAnswers(text)
  expect(answers, text).toBeDefined()
  for (const answer of answers ?? []) {
    // The answer to HEAD has no body.
    const method = one.text.includes('HEAD') && answer.text === '' ? 'HEAD' : 'ANY'
    expectSound(answer, { method, path: one.text })
  }
  expectNoEcho([text], [world.token, world.clientSecret, ADMIN_TOKEN])
  return answers?.[0]?.status ?? 0
}

test('any bytes get a documented answer or none, and the server keeps working', {
  timeout: 120_000,
}, async () => {
  const statuses = new Map<number, number>()
  await fuzz(
    'HTTP heads',
    80,
    fc.array(connection, { minLength: 1, maxLength: 24, size: 'max' }),
    async (batch, watch) => {
      const tryAll = async (all: readonly Connection[]): Promise<void> => {
        for (const status of await Promise.all(all.map(tryConnection)))
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
      let slowest = await serverMs(() => tryAll(batch))
      if (slowest > LIMIT_MS) {
        // The batch took longer than one input may, so each input is measured separately.
        slowest = 0
        for (const one of batch) {
          let best = await serverMs(() => tryAll([one]))
          for (let repeats = 0; repeats < 2 && best > LIMIT_MS; repeats += 1) {
            best = Math.min(best, await serverMs(() => tryAll([one])))
          }
          slowest = Math.max(slowest, best)
        }
      }
      watch.note(batch.length, slowest)
      expect(slowest, 'milliseconds of the server for one input').toBeLessThan(LIMIT_MS)
      expect(server.child.exitCode, server.stderr()).toBeNull()
      const healthy = await sendToSocket(server.url, { method: 'GET', path: '/healthz' })
      expect(`${healthy.status} ${healthy.text}`).toBe('200 {"status":"ok"}')
    },
  )
  // The generator must reach every stage of a request, otherwise this test would show little.
  for (const status of [200, 400, 401, 404, 405]) expect([...statuses.keys()]).toContain(status)
  expect(server.stdout()).not.toContain('"level":"error"')
})
