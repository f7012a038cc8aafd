// The package export "claimgate/server": the whole issuer on Node, to mount in a server of one's own.

import type { Hono } from 'hono'
import { createLineOutput, LINES_LOST } from './adapters/node/line-output.ts'
import { type Config, parseConfig } from './config/config.ts'
import { createLogger } from './http/log.ts'
import { openOnNode, type Peer } from './open-service.ts'

export type { Config } from './config/config.ts'
export { ConfigError, type ConfigErrorCode, type ConfigProblem } from './config/errors.ts'
export { StorageError, type StorageErrorCode } from './storage/errors.ts'
export type { Peer }

/** An issuer that runs in this process, without a socket. */
export interface Service {
  /** The service as a Hono app; its `fetch` takes a {@link Peer} as second argument. */
  readonly app: Hono
  /**
   * Answers a request. Name the address of the socket's peer in `ip`: limits, the `ip` of tokens, the audit log and
   * `/metrics` use it, after `CLAIMGATE_TRUSTED_PROXIES`. Without it the address is not known. Never rejects.
   */
  fetch(request: Request, peer?: Peer): Promise<Response>
  /** The configuration. It contains the secrets of `env`. */
  readonly config: Config
  /**
   * Stops the background work, writes what is left and releases the database; later requests get 503 where they need it.
   * Stop your own server before, so that no request is in progress. Closing again does nothing.
   */
  close(): Promise<void>
}

/**
 * Opens the issuer that `npm start` would run with these variables: database, signing keys, background work. Reads only
 * `env` (neither `process.env` nor `.env`), listens nowhere and installs no signal handler; `PORT` and `HOST` are used only
 * for the default of `CLAIMGATE_ISSUER`. Log lines go to stdout; an error of stdout then does not end the process. Each call
 * is a service of its own; two on one database see each other's changes as two processes do. Needs Node 22.16 or later. Not
 * checked here, because only a server sees it: size and time limits of request heads, and targets and `Host` values that can
 * be read in two ways.
 *
 * @throws {ConfigError} when `env` has a problem; it lists all of them.
 * @throws {StorageError} when the database or the folder of signing keys cannot be used.
 * @example
 * const service = await openService(process.env)
 * const server = serve({ fetch: service.fetch, port: 8787 }) // of @hono/node-server
 * // Before the process ends: server.close(() => void service.close())
 */
export async function openService(env: Readonly<Record<string, string | undefined>>): Promise<Service> {
  const config = parseConfig(env)
  const output = createLineOutput(process.stdout, (count) => log.warn(LINES_LOST, { count }))
  const log = createLogger({ level: config.logLevel, write: output.write, now: Date.now })
  const opened = await openOnNode(config, {
    log,
    production: env.NODE_ENV === 'production',
    linesLost: output.lost,
  })
  const app = opened.createApp(config)
  let closing: Promise<void> | undefined
  return {
    app,
    fetch: async (request, peer) => app.fetch(request, peer),
    config,
    close: () => {
      closing ??= opened.close()
      return closing
    },
  }
}
