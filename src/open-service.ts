// The service on Node, opened and running its upkeep, without a socket. node.ts puts it on one; server.ts gives it to
// programs that have their own.

import type { IncomingMessage } from 'node:http'
import type { Context, Hono } from 'hono'
import { isPlainHttp, LOST_KEYS, PLAIN_HTTP } from './adapters/node/banner.ts'
import { findOpenFolder } from './adapters/node/key-files.ts'
import { openKeys, openRecords, openSecretHash } from './adapters/node/open.ts'
import { SETTLE_MS } from './admin/settle.ts'
import { createApp } from './app.ts'
import type { Config } from './config/config.ts'
import { createMemoryCounters } from './counters/memory.ts'
import type { Logger } from './http/log.ts'
import { openParts, type PartsOptions } from './wiring/parts.ts'

/** Time between two rounds of upkeep. Short, because upkeep is how a process notices that another one changed the keys. */
const UPKEEP_MS = 1000

/** Where a request came from, as `app.fetch` takes it: an address, or the request of Node's HTTP server. */
export interface Peer {
  /** Address of the socket's peer, such as `203.0.113.7`; undefined when it is not known. */
  readonly ip?: string | undefined
  /** Node's request, as `@hono/node-server` passes it. Used when there is no `ip`. */
  readonly incoming?: Pick<IncomingMessage, 'url'> & {
    readonly socket: { readonly remoteAddress?: string | undefined }
  }
}

/** How a service is opened. */
export interface OpenOptions {
  readonly log: Logger
  /** Whether signing keys whose kid starts with `dev-` are refused. */
  readonly production: boolean
  /** Number of log lines that were lost so far, for `/metrics`. */
  readonly linesLost: () => number
}

/** The service, ready for requests. */
export interface OpenedService {
  /** Creates the app; call it once. `config` is that of the service, or the same with the port that the server got. */
  createApp(config: Config): Hono
  /** Id of the key that signed when the service was opened; undefined when none may sign. */
  readonly kid: string | undefined
  /** Whether new signing keys were made although credentials have been used: the old keys are lost. */
  readonly areKeysLost: boolean
  /** From now on `/readyz` answers 503, so that load balancers send no more requests. */
  beginStop(): void
  /** Stops the upkeep, writes what is left, and releases the database. Call it when no request is in progress. */
  close(): Promise<void>
}

/**
 * Opens database and signing keys of a configuration, runs the first round of upkeep, and goes on with one each second. The
 * timer does not keep the process alive. Rejects with ConfigError and StorageError; then nothing stays open.
 */
export async function openOnNode(config: Config, options: OpenOptions): Promise<OpenedService> {
  const { log, production, linesLost } = options
  const { storage, keyStore } = await openRecords(config, production)
  let isStopping = false
  const partsOptions: PartsOptions = {
    config,
    storage,
    openKeys: (lifetimeSeconds, isRevoked) => openKeys(keyStore, config, lifetimeSeconds, isRevoked),
    hashSecret: openSecretHash(config),
    counters: createMemoryCounters(),
    log,
    linesLost,
    peerOf,
    targetOf: (context) => peerIn(context)?.incoming?.url,
    sharesWork: true,
    settleMs: config.database.kind === 'memory' ? 0 : SETTLE_MS,
    isStopping: () => isStopping,
    defer: (milliseconds, work) => void setTimeout(() => void work(), milliseconds).unref(),
  }
  try {
    const parts = await openParts(partsOptions)
    if (isPlainHttp(config.issuer)) log.warn(PLAIN_HTTP)
    if (parts.areKeysLost) log.warn(LOST_KEYS)
    const folderWarning = config.database.kind === 'postgres' ? undefined : findOpenFolder(config.keysDir)
    if (folderWarning !== undefined) {
      log.warn('other users may change the signing keys', { reason: folderWarning })
    }
    await parts.upkeep()
    const rounds = setInterval(parts.upkeep, UPKEEP_MS).unref()
    const beginStop = (): void => {
      isStopping = true
      clearInterval(rounds)
    }
    return {
      createApp: (served) => createApp(parts.createDeps(served)),
      kid: parts.keyRing.kid,
      areKeysLost: parts.areKeysLost,
      beginStop,
      async close() {
        beginStop()
        await parts.close()
      },
    }
  } catch (error) {
    await storage.close()
    throw error
  }
}

function peerOf(context: Context): string | undefined {
  const peer = peerIn(context)
  return peer?.ip ?? peer?.incoming?.socket.remoteAddress
}

/** The second argument of `app.fetch`; undefined for `app.request` without one. */
function peerIn(context: Context): Peer | undefined {
  return context.env
}
