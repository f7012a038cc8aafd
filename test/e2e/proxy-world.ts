// claimgate, a real proxy with its example configuration, and an API that records its requests, on free loopback ports. The
// client's address is 127.0.0.2, which differs from the proxy's.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { canConnect, findFreePort } from '../support/ports.ts'
import { type RunningServer, useServers } from '../support/server.ts'

/** How to start one kind of proxy. */
export interface ProxyKind {
  /** The command, which must be on PATH. */
  readonly command: string
  /** Name of its configuration file in test/examples. */
  readonly example: string
  /** Changes the text of the example where a test needs it, for example paths. */
  readonly adapt?: (text: string) => string
  /** The status with which the proxy answers while claimgate is down. */
  readonly unreachable: number
  /** Removes claimgate from the configuration, so that every request passes. */
  readonly open: (text: string) => string
  /** Arguments of the command, for this folder and the configuration file in it. */
  readonly parameters: (folder: string, file: string) => readonly string[]
}

/** A request that reached the API. */
export interface Seen {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string[]>
  readonly text: string
}

export interface Ask {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string
}

/** The address from which {@link send} connects. */
export const CLIENT = '127.0.0.2'

/** The running parts. They exist only inside tests, so read the members there. */
export interface ProxyWorld {
  readonly claimgate: RunningServer
  /** What reached the API since the test began, including bytes that are not HTTP. */
  readonly seen: Seen[]
  /**
   * Starts the proxy on a free port and resolves to the port. `change` changes its configuration. `claimgateUrl` replaces
   * the URL of the real claimgate.
   */
  startProxy(change?: (text: string) => string, claimgateUrl?: string): Promise<number>
}

/** Whether the command of a proxy is installed. */
export function isInstalled({ command }: ProxyKind): boolean {
  return spawnSync('which', [command]).status === 0
}

/** Starts claimgate and the API. Call it inside a `describe`. */
export function useProxyWorld(kind: ProxyKind): ProxyWorld {
  const servers = useServers()
  const children: ChildProcess[] = []
  const seen: Seen[] = []
  let claimgate: RunningServer
  let api: Server

  beforeAll(async () => {
    claimgate = await servers.start({ env: { CLAIMGATE_TRUSTED_PROXIES: '127.0.0.1' } })
    api = await startApi(seen)
  })
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL')
    await new Promise((resolve) => api?.close(resolve))
  })
  beforeEach(() => {
    seen.length = 0
  })

  return {
    get claimgate() {
      return claimgate
    },
    seen,
    async startProxy(change = (text) => text, claimgateUrl = claimgate.url) {
      const listen = await findFreePort()
      const text = readFileSync(join(import.meta.dirname, '../examples', kind.example), 'utf8')
        .replaceAll('127.0.0.1:8787', new URL(claimgateUrl).host)
        .replaceAll('127.0.0.1:3000', `127.0.0.1:${(api.address() as AddressInfo).port}`)
        .replaceAll('8080', String(listen))
      const folder = servers.makeFolder()
      const file = join(folder, kind.example)
      writeFileSync(file, change(kind.adapt?.(text) ?? text))
      const env = { PATH: process.env.PATH, HOME: folder }
      const child = spawn(kind.command, kind.parameters(folder, file), {
        cwd: folder,
        env,
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      children.push(child)
      let said = ''
      child.stderr.on('data', (chunk) => {
        said += chunk
      })
      for (let tries = 0; tries < 200; tries += 1) {
        if (child.exitCode !== null) break
        if (await canConnect(listen)) return listen
        await sleep(50)
      }
      throw new Error(`${kind.command} does not listen: ${said}`)
    },
  }
}

/** An API that records its requests. It sends its own CORS headers, which must not reach the page. */
async function startApi(seen: Seen[]): Promise<Server> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { method, url, headers } = request
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
    response.writeHead(201, { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'X-Api' })
    response.end('from the API')
  })
  const noteOther = (url: string) => seen.push({ method: undefined, url, headers: {}, body: '' })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code?.startsWith('HPE_')) noteOther('not HTTP')
    socket.destroy()
  })
  server.on('connect', ({ url = '' }, socket) => {
    noteOther(url)
    socket.destroy()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** Sends a request through the proxy. */
export function send(
  port: number,
  { method = 'GET', path = '/orders', headers = {}, body }: Ask,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { hostname: '127.0.0.1', port, localAddress: CLIENT, method, path, agent: false }
    const length = body && { 'content-length': String(Buffer.byteLength(body)) }
    const request = httpRequest({ ...options, headers: { ...headers, ...length } }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headersDistinct, text }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}
