// Ports of the loopback for programs that cannot take port 0 themselves.

import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

/** Listens on a free port and gives it. */
export async function listenFree(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A port that is free at the moment. */
export async function findFreePort(): Promise<number> {
  const server = createServer()
  const port = await listenFree(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Whether somebody listens. */
export function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
