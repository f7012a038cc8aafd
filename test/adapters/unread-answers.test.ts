// A client that never reads the answers must not keep a connection open.

import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { listen } from '../../src/adapters/node/server.ts'

test('a connection whose client does not read the answer is closed', async () => {
  const server = await listen('127.0.0.1', 0, 300)
  const body = new Uint8Array(64 * 1024 * 1024)
  const closed = new Promise<string>((resolve) => {
    server.serve((_, { outgoing }) => {
      outgoing.once('close', () => resolve('closed'))
      return new Response(body)
    }, 'https://docs.example')
  })
  const client = connect(server.port, '127.0.0.1')
  client.on('error', () => undefined).pause()
  client.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n')
  const late = new Promise<string>((resolve) => setTimeout(() => resolve('still open'), 3000))
  try {
    expect(await Promise.race([closed, late])).toBe('closed')
  } finally {
    client.destroy()
    await server.stop()
  }
})
