// The two samples of MultiSet's documentation, run as Node scripts against a real server with only the host changed. The
// first is for pages; Node has the same `btoa` and `fetch`.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { browserSample, MULTISET_HOST, nodeSample } from '../support/multiset-samples.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { type Json, sendToSocket, type Target } from '../support/wire.ts'
import { createAccount, payloadOf, SITE } from '../support/world.ts'

const run = promisify(execFile)
const SAMPLES: Readonly<Record<string, string>> = { 'for a browser': browserSample, 'for Node': nodeSample }

let server: RunningServer
let folder: string
let credential: Json

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'claimgate-multiset-'))
  server = await startServer()
  const target: Target = {
    issuer: server.url,
    send: (request) => sendToSocket(server.url, request),
    stop: () => server.stop(),
  }
  ;({ credential } = await createAccount(target, { name: 'Shop', allowedOrigins: [SITE] }))
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await server?.stop()
})

/** What a sample returns, or the message of the error that it throws. */
async function runSample(sample: string, clientId: string, clientSecret: string): Promise<Json> {
  const script = join(folder, 'sample.cjs')
  const call = `generateToken(${JSON.stringify(clientId)}, ${JSON.stringify(clientSecret)})
  .catch((error) => ({ thrown: error.message }))
  .then((result) => console.log(JSON.stringify(result)))`
  writeFileSync(script, sample.replace(MULTISET_HOST, server.url) + call)
  return JSON.parse((await run(process.execPath, [script])).stdout)
}

test.each(Object.entries(SAMPLES))(
  'the sample %s gets a token, or shows why it got none',
  async (_, sample) => {
    const { token, expiresOn } = await runSample(sample, credential.clientId, credential.clientSecret)
    const { client_id, iat, exp } = payloadOf(token)
    expect({ client_id, lifetime: exp - iat }).toEqual({ client_id: credential.clientId, lifetime: 1800 })
    expect(new Date(expiresOn).getTime()).toBe(exp * 1000)

    const { thrown } = await runSample(sample, credential.clientId, 'YOUR_CLIENT_SECRET')
    expect(thrown).toMatch(/^the client id or client secret is missing, wrong/)
  },
)
