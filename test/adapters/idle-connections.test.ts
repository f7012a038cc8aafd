// Connections on which no byte moves are closed after the idle time: while an answer is not read, after an answer, and
// before a first request.

import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { listen, type NodeServer } from '../../src/adapters/node/server.ts'

const IDLE_MS = 300
const REQUEST = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'
const HUGE_BODY = new Uint8Array(64 * 1024 * 1024)

let server: NodeServer
let client: Socket

afterEach(async () => {
  client.destroy()
  await server.stop()
})

/** Connects to a server that answers with this body. Resolves when the server has closed the connection, or after 3 s. */
async function watch(body: Uint8Array<ArrayBuffer> | string, use: (client: Socket) => void): Promise<string> {
  server = await listen('127.0.0.1', 0, IDLE_MS)
  const closed = new Promise<string>((resolve) => {
    server.serve((_, { outgoing }) => {
      outgoing.socket?.once('close', () => resolve('closed'))
      return new Response(body)
    }, 'https://docs.example')
    client = connect(server.port, '127.0.0.1')
    client.on('error', () => undefined).once('close', () => resolve('closed'))
    use(client)
  })
  const late = new Promise<string>((resolve) => setTimeout(() => resolve('still open'), 3000))
  return Promise.race([closed, late])
}

test.each<[string, Uint8Array<ArrayBuffer> | string, (client: Socket) => void]>([
  ['whose client does not read the answer', HUGE_BODY, (client) => void client.pause().write(REQUEST)],
  ['whose client sends nothing after an answer', 'ok', (client) => void client.resume().write(REQUEST)],
  ['whose client never sends a request', 'ok', (client) => void client.resume()],
])('a connection %s is closed', async (_, body, use) => {
  expect(await watch(body, use)).toBe('closed')
})
