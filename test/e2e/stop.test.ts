// How the server stops on a signal: with requests in progress, idle connections, or a request that never ends.

import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { ADMIN_TOKEN, copyRepository, type RunningServer, useServers } from '../support/server.ts'

const { makeFolder, start } = useServers()

/** A limit for exits that wait for nothing. It is well below the ten seconds that a request gets to finish. */
const PROMPT_MS = 4000

interface Wire {
  write(text: string): void
  /** All text received so far on the connection. */
  text(): string
  /** Resolves when `text` has been received. */
  receives(text: string): Promise<void>
  /** Resolves when the connection is closed. */
  readonly closed: Promise<void>
}

/** Opens a TCP connection on which the test writes the bytes itself. */
async function openWire({ url }: RunningServer): Promise<Wire> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await once(socket, 'connect')
  return {
    write: (bytes) => void socket.write(bytes),
    text: () => text,
    async receives(wanted) {
      while (!text.includes(wanted)) {
        if (socket.destroyed) throw new Error(`closed after ${JSON.stringify(text)}`)
        await setTimeout(5)
      }
    },
    closed,
  }
}

const BODY = JSON.stringify({ name: 'In flight', allowedOrigins: ['https://www.example.com'] })
const HEAD = [
  'POST /admin/accounts HTTP/1.1',
  'Host: 127.0.0.1',
  `Authorization: Bearer ${ADMIN_TOKEN}`,
  'Content-Type: application/json',
  `Content-Length: ${BODY.length}`,
  'Expect: 100-continue',
  '\r\n',
].join('\r\n')

/** Begins a request: sends the head, waits until the server has read it, and sends the first part of the body. */
async function beginRequest(server: RunningServer): Promise<Wire> {
  const wire = await openWire(server)
  wire.write(HEAD)
  await wire.receives('HTTP/1.1 100 Continue')
  wire.write(BODY.slice(0, 10))
  return wire
}

async function finishRequest(wire: Wire): Promise<void> {
  wire.write(BODY.slice(10))
  await wire.receives('"credential"')
  expect(wire.text()).toContain('HTTP/1.1 201 ')
  expect(wire.text()).toMatch(/^connection: close\r$/im)
  await wire.closed
}

/** Resolves when the server has logged `message`; rejects after ten seconds. */
async function logged(server: RunningServer, message: string): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!server.stdout().includes(`"msg":"${message}"`)) {
    if (performance.now() > deadline) throw new Error(`"${message}" was not logged: ${server.stdout()}`)
    await setTimeout(5)
  }
}

function stopping(server: RunningServer): Promise<void> {
  return logged(server, 'stopping')
}

/** Waits for the exit. Resolves to the exit code and to how many milliseconds the wait took. */
async function measureExit(server: RunningServer): Promise<{ code: number | null; ms: number }> {
  const from = performance.now()
  const code = await server.exited
  return { code, ms: performance.now() - from }
}

/** The error code of a request that fails, such as ECONNREFUSED; otherwise `answered <status>`. */
function refusal(url: string): Promise<string> {
  return fetch(`${url}/healthz`).then(
    (answer) => `answered ${answer.status}`,
    (error: Error) => (error.cause as NodeJS.ErrnoException).code ?? 'unknown',
  )
}

function nameRefusal(outcome: string): string {
  return outcome === 'ECONNREFUSED' ? 'refused' : `reset, then ${outcome}`
}

/**
 * Repeats a request over keep-alive connections until one fails. Calls `onAnswer` after the first answer. Resolves to the
 * number of answers and to the failure: `refused` for a connection that the server did not accept. When a listening socket
 * closes, the system resets the connections that wait in its queue; so a reset of a new connection counts as refused if the
 * next one is refused too.
 */
async function askUntilRefused(
  url: string,
  agent: Agent,
  onAnswer: () => void,
): Promise<{ answers: number; end: string }> {
  for (let answers = 0; ; answers++) {
    if (answers === 1) onAnswer()
    const end = await new Promise<string | undefined>((resolve) => {
      const asked = request(`${url}/healthz`, { agent }, (answer) => {
        answer.resume().on('error', () => resolve('cut'))
        answer.on('end', () => resolve(answer.statusCode === 200 ? undefined : `${answer.statusCode}`))
      })
      asked.on('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => {
        if (code === 'ECONNREFUSED') resolve('refused')
        else resolve(code === 'ECONNRESET' && !asked.reusedSocket ? 'reset when new' : code)
      })
      asked.end()
    })
    if (end === 'reset when new') return { answers, end: await refusal(url).then(nameRefusal) }
    if (end !== undefined) return { answers, end }
    // Different pauses, so that some connections are idle at any moment.
    await setTimeout(answers % 4)
  }
}

describe.concurrent('SIGTERM', () => {
  test('requests in progress are answered with Connection: close, new connections are refused, exit 0', async () => {
    const server = await start()
    const wire = await beginRequest(server)
    server.child.kill('SIGTERM')
    await stopping(server)
    // A connection that is opened while the listening socket closes may be reset instead of refused.
    await setTimeout(100)
    expect(await refusal(server.url)).toBe('ECONNREFUSED')
    await finishRequest(wire)
    expect(await server.exited).toBe(0)
    expect(server.stdout()).toContain('"stopped"')
    // The database was closed properly, so its journal is gone; and the acknowledged account is in it.
    expect(readdirSync(server.dir).sort()).toEqual(['claimgate.db', 'keys'])
    const again = await start({ dir: server.dir })
    const accounts = await fetch(`${again.url}/admin/accounts`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    })
    expect((await accounts.json()).accounts).toHaveLength(1)
  })

  test('/readyz is 503 on an open connection, and that is the last answer there', async () => {
    const server = await start()
    const wire = await openWire(server)
    wire.write('GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n')
    await wire.receives('"ready"')
    expect(wire.text()).toContain('HTTP/1.1 200 ')
    wire.write('GET /readyz HT')
    // The server has read the bytes above once it has answered a later request on another connection.
    await fetch(`${server.url}/healthz`)
    server.child.kill('SIGTERM')
    await stopping(server)
    wire.write('TP/1.1\r\nHost: a\r\n\r\n')
    await wire.receives('"unready"')
    const last = wire.text().slice(wire.text().lastIndexOf('HTTP/1.1 '))
    expect(last).toMatch(/^HTTP\/1\.1 503 /)
    expect(last).toMatch(/^connection: close\r$/im)
    await wire.closed
    expect(await server.exited).toBe(0)
  })

  test('under load every request is answered until the server stops listening', async () => {
    const server = await start()
    const agent = new Agent({ keepAlive: true, maxSockets: 16 })
    let waiting = 16
    const visitors = Array.from({ length: 16 }, () =>
      askUntilRefused(server.url, agent, () => {
        waiting -= 1
      }),
    )
    while (waiting > 0) await setTimeout(10)
    await setTimeout(100)
    server.child.kill('SIGTERM')
    const visits = await Promise.all(visitors)
    expect(await server.exited).toBe(0)
    expect(visits.map(({ end }) => end)).toEqual(Array(16).fill('refused'))
    for (const { answers } of visits) expect(answers).toBeGreaterThan(0)
  })

  test('idle connections, and connections without a request, do not delay the exit', async () => {
    const server = await start()
    const idle = await openWire(server)
    idle.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')
    await idle.receives('"ok"')
    const silent = await openWire(server)
    server.child.kill('SIGTERM')
    const { code, ms } = await measureExit(server)
    expect(code).toBe(0)
    expect(ms).toBeLessThan(PROMPT_MS)
    await Promise.all([idle.closed, silent.closed])
  })

  test('a request that never ends is cut off after ten seconds, exit 1', async () => {
    const server = await start()
    const wire = await beginRequest(server)
    server.child.kill('SIGTERM')
    const { code, ms } = await measureExit(server)
    expect(code).toBe(1)
    expect(ms).toBeGreaterThan(9500)
    expect(ms).toBeLessThan(14_000)
    await wire.closed
  })

  test('a second signal ends the server immediately, exit 1', async () => {
    const server = await start()
    const wire = await beginRequest(server)
    server.child.kill('SIGTERM')
    await stopping(server)
    await setTimeout(600)
    server.child.kill('SIGTERM')
    const { code, ms } = await measureExit(server)
    expect(code).toBe(1)
    expect(ms).toBeLessThan(PROMPT_MS)
    await wire.closed
  })

  test('two interrupts within half a second count as one', async () => {
    const server = await start()
    const wire = await beginRequest(server)
    server.child.kill('SIGINT')
    await stopping(server)
    await setTimeout(100)
    server.child.kill('SIGINT')
    await setTimeout(100)
    await finishRequest(wire)
    expect(await server.exited).toBe(0)
  })

  test('SIGHUP, as when a terminal closes, stops the server too, exit 0', async () => {
    const server = await start()
    server.child.kill('SIGHUP')
    expect(await server.exited).toBe(0)
  })

  test('SIGUSR1 opens no debugger, and the server goes on', async () => {
    const server = await start()
    let errors = ''
    server.child.stderr?.on('data', (part) => {
      errors += part
    })
    server.child.kill('SIGUSR1')
    await setTimeout(500)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    expect(errors).not.toMatch(/debugger/i)
    server.child.kill('SIGTERM')
    expect(await server.exited).toBe(0)
  })

  test('right after the listening line the server stops too, exit 0', async () => {
    const server = await start()
    server.child.kill('SIGTERM')
    expect(await server.exited).toBe(0)
  })
})

/** Starts the server by `npm start` in a process group of its own, as a shell does. */
function startUnderNpm(): Promise<RunningServer> {
  const dir = makeFolder()
  copyRepository(dir)
  return start({ dir, command: ['npm', 'start'], detached: true })
}

describe.concurrent('under npm start', () => {
  test('SIGTERM to npm also stops the server', async () => {
    const server = await startUnderNpm()
    server.child.kill('SIGTERM')
    await logged(server, 'stopped')
    await server.exited
    expect(await refusal(server.url)).toBe('ECONNREFUSED')
  })

  test('one Ctrl-C, which reaches the server twice, stops it in an orderly way', async () => {
    const server = await startUnderNpm()
    const wire = await beginRequest(server)
    process.kill(-(server.child.pid ?? Number.NaN), 'SIGINT')
    await stopping(server)
    await setTimeout(300)
    await finishRequest(wire)
    await logged(server, 'stopped')
    await server.exited
  })
})
