// Free ports on loopback for programs that cannot use port 0.

import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

/** Listens on a free port of 127.0.0.1. Resolves to the port. */
export async function listenFree(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A port of 127.0.0.1 that is free now. Another process may take it before it is used. */
export async function findFreePort(): Promise<number> {
  const server = createServer()
  const port = await listenFree(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Whether a server accepts connections at this port of 127.0.0.1. */
export function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
