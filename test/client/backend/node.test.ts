// Cases that occur on Node only: keep-alive after a refused body, clients that disconnect, responses that are already sent.

import { Agent, createServer, request as httpRequest, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeEach, expect, test, vi } from 'vitest'
import {
  createClaimClient,
  createNodeClientTokenEndpoint,
  type NodeClientTokenEndpointOptions,
} from '../../../src/client/backend/index.ts'
import { sendToSocket } from '../../support/wire.ts'
import { SITE } from '../../support/world.ts'
import { API, answer, GOOD, TOKEN, useSimulatedIssuer } from './issuer.ts'

const issuer = useSimulatedIssuer()
const onError = vi.fn()
beforeEach(() => {
  issuer.reply = answer(200, GOOD)
  issuer.asked.length = 0
  onError.mockReset()
})

const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close().closeAllConnections()
})

function createEndpoint(options: Partial<NodeClientTokenEndpointOptions> = {}) {
  const client = createClaimClient({ issuer: issuer.url, token: TOKEN })
  return createNodeClientTokenEndpoint(client, {
    authenticate: 'public',
    baseUrl: API,
    allowedOrigins: [SITE],
    onError,
    ...options,
  })
}

async function listen(listener: RequestListener): Promise<{ readonly url: string; readonly port: number }> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port }
}

const POST = { method: 'POST', path: '/api/client-token', headers: { origin: SITE } }

test('the connection stays usable after a body that is too large', async () => {
  const { port } = await listen(createEndpoint())
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const send = (
    body: string,
    chunked: boolean,
  ): Promise<readonly [status: number | undefined, local: number | undefined]> =>
    new Promise((resolve, reject) => {
      const headers = { ...POST.headers, ...(!chunked && { 'content-length': body.length }) }
      const asked = httpRequest({ port, host: '127.0.0.1', agent, method: 'POST', headers }, (seen) => {
        const local = seen.socket.localPort
        seen.resume().on('end', () => resolve([seen.statusCode, local]))
      })
      asked.on('error', reject)
      asked.write(body)
      asked.end()
    })
  const large = ' '.repeat(200_000)
  const [first, second, third] = [await send(large, false), await send(large, true), await send('{}', true)]
  agent.destroy()
  expect([first[0], second[0], third[0]]).toEqual([413, 413, 200])
  expect(new Set([first[1], second[1], third[1]]).size).toBe(1)
  expect(issuer.asked).toHaveLength(1)
})

test.each([
  ['malformed', '{', 400],
  ['a list', '[]', 400],
])('refuses a body that is %s', async (_, body, status) => {
  const { url } = await listen(createEndpoint())
  expect((await sendToSocket(url, { ...POST, body })).status).toBe(status)
})

test('a response that was sent while the issuer was asked is not changed', async () => {
  issuer.reply = (request, response) => void setTimeout(() => answer(200, GOOD)(request, response), 300)
  const endpoint = createEndpoint()
  let ended: Promise<void> | undefined
  const { url } = await listen((request, response) => {
    ended = endpoint(request, response)
    setTimeout(() => response.writeHead(504).end('too late'), 100)
  })
  const seen = await sendToSocket(url, POST)
  expect([seen.status, seen.text]).toEqual([504, 'too late'])
  await ended
})

test.each(['before authenticate', 'during authenticate'])(
  'a client that disconnects while sending its body, %s, causes no claim and no call of onError',
  async (when) => {
    const endpoint = createEndpoint({
      authenticate: async () => {
        if (when === 'during authenticate') await sleep(200)
        return true
      },
    })
    let ended: Promise<void> | undefined
    const { port } = await listen((request, response) => {
      ended = endpoint(request, response)
    })
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nOrigin: ${SITE}\r\nContent-Length: 100\r\n\r\n{"jkt":`)
    await sleep(100)
    socket.destroy()
    await expect(Promise.race([ended, sleep(2000, 'hangs')])).resolves.toBeUndefined()
    expect([issuer.asked.length, onError.mock.calls.length]).toEqual([0, 0])
  },
)

test('repeated headers are read as one list', async () => {
  const { url } = await listen(createEndpoint({ bindIp: true, trustedProxies: 'loopback' }))
  const headers = { origin: SITE, 'x-forwarded-for': ['203.0.113.1', '198.51.100.9'] }
  expect((await sendToSocket(url, { ...POST, headers })).status).toBe(200)
  expect(issuer.asked.map(({ body }) => JSON.parse(body).ip)).toEqual(['198.51.100.9'])
  const twice = await sendToSocket(url, { ...POST, headers: { origin: [SITE, SITE] } })
  expect(twice.status).toBe(403)
})
