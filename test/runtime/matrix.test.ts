import { startMemory } from '../support/memory.ts'
import { startServer } from '../support/server.ts'
import { sendToSocket } from '../support/wire.ts'
import { describeRuntime } from './matrix.ts'

describeRuntime('app.fetch', { rows: 'all' }, () => startMemory())

describeRuntime('a real server on a socket', { rows: 'everywhere' }, async () => {
  const server = await startServer()
  return { issuer: server.url, send: (request) => sendToSocket(server.url, request), stop: server.stop }
})
