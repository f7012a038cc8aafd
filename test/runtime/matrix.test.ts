import { describeRuntime } from './matrix.ts'
import { startMemory } from './memory.ts'
import { startServer } from './server.ts'
import { sendToSocket } from './wire.ts'

describeRuntime('app.fetch', () => startMemory())

describeRuntime('a real server on a socket', async () => {
  const server = await startServer()
  return { issuer: server.url, send: (request) => sendToSocket(server.url, request), stop: server.stop }
})
