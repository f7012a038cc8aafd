// Timeouts of connections: 30 s for the head of a request, counted from its first byte, and an idle time. Node's own head
// timeout counts from the opening of a connection, so it would close idle connections that a proxy keeps for later.
// The timeout of the body is in http/body.ts.

import type { Socket } from 'node:net'

/** Longest time from the first byte of a request's head to its last, milliseconds. */
const HEAD_MS = 30_000

/** Default idle time of a connection, milliseconds. Longer than the time that common proxies keep one for reuse. */
export const IDLE_MS = 75_000

const CHECK_MS = 1000

/** Watches the connections of one server for slow heads and idle time. */
export interface SlowClients {
  add(socket: Socket): void
  /** Call it when the head of a request was received. */
  begin(socket: Socket): void
  /** Call it when a request was answered. */
  end(socket: Socket): void
  close(): void
}

interface Progress {
  /** Requests that are being answered; several when a client uses pipelining. */
  open: number
  /** Value of `bytesRead` when the last request ended. */
  read: number
  idleSince: number
  headSince: number | undefined
}

/**
 * Watches connections, once a second. A connection without a request is closed after `idleMs` milliseconds without data.
 * `refuse` answers a head that took too long, and must close the connection.
 */
export function createSlowClients(idleMs: number, refuse: (socket: Socket) => void): SlowClients {
  const watched = new Map<Socket, Progress>()

  function checkAll(): void {
    const now = performance.now()
    for (const [socket, progress] of watched) {
      if (progress.open > 0) continue
      if (progress.headSince === undefined && socket.bytesRead > progress.read) progress.headSince = now
      if (progress.headSince !== undefined) {
        if (now - progress.headSince < HEAD_MS) continue
        watched.delete(socket)
        refuse(socket)
      } else if (now - progress.idleSince >= idleMs) socket.destroy()
    }
  }

  const timer = setInterval(checkAll, CHECK_MS)
  timer.unref()
  return {
    add(socket) {
      watched.set(socket, { open: 0, read: 0, idleSince: performance.now(), headSince: undefined })
      socket.once('close', () => watched.delete(socket))
    },
    begin(socket) {
      const progress = watched.get(socket)
      if (progress !== undefined) progress.open += 1
    },
    end(socket) {
      const progress = watched.get(socket)
      if (progress === undefined) return
      progress.open -= 1
      progress.read = socket.bytesRead
      progress.idleSince = performance.now()
      progress.headSince = undefined
    },
    close: () => clearInterval(timer),
  }
}
