// The server on Node: environment -> config -> adapters -> createApp -> serve. `npm start` runs this file; the command
// `claimgate` imports it.

import { isPlainHttp, LOST_KEYS, PLAIN_HTTP, printBanner } from './adapters/node/banner.ts'
import { describeStartFault, loadEnvironment } from './adapters/node/environment.ts'
import { findOpenFolder } from './adapters/node/key-files.ts'
import { openKeys, openSecretHash, openStorage } from './adapters/node/open.ts'
import { listen } from './adapters/node/server.ts'
import { onStopSignal } from './adapters/node/signals.ts'
import { SETTLE_MS } from './admin/settle.ts'
import { createApp } from './app.ts'
import { type Config, parseConfig, withPort } from './config/config.ts'
import { createMemoryCounters } from './counters/memory.ts'
import { createLogger, type LogLevel } from './http/log.ts'
import { createMetrics } from './http/metrics.ts'
import { paths } from './http/paths.ts'
import { RECORD_TTL_MS } from './issue/sign-current.ts'
import { createRevocationRules } from './service/revocation/rules.ts'
import { createUpkeep, DAY_MS } from './service/upkeep.ts'
import { createUseLog } from './service/use-log.ts'
import { createCachedStorage } from './storage/cached.ts'
import type { AppDeps } from './wiring/deps.ts'

/** Time between two rounds of upkeep. Short, because upkeep is how a process notices that another one changed the keys. */
const UPKEEP_MS = 1000

/** Starts the server from the environment. Resolves when it listens; if it cannot start, the process exits with code 1. */
export async function main(): Promise<void> {
  try {
    await start(parseConfig(loadEnvironment()))
  } catch (error) {
    const lines = describeStartFault(error).split('\n')
    process.stderr.write(lines.map((line) => `claimgate cannot start: ${line}\n`).join(''))
    process.exit(1)
  }
}

async function start(parsed: Config): Promise<void> {
  // When the process that reads the log ends, stdout emits an error. Without a listener that error would end the service.
  process.stdout.on('error', () => undefined)
  const createLog = (level: LogLevel) =>
    createLogger({ level, write: (line) => process.stdout.write(`${line}\n`), now: Date.now })
  const log = createLog(parsed.logLevel)
  const uncached = await openStorage(parsed)
  const lifetimeSeconds = await uncached.raiseLongestLifetime(parsed.maxTtl)
  if (isPlainHttp(parsed.issuer)) log.warn(PLAIN_HTTP)
  const storage = createCachedStorage(uncached, { ttlMs: RECORD_TTL_MS })
  const rules = createRevocationRules({
    storage,
    log,
    now: Date.now,
    sharesWork: true,
  })
  // Before the keys are opened, because a revoked key must not sign.
  await rules.refresh()
  const { keyLife, keyRing, areNew } = await openKeys(parsed, lifetimeSeconds, rules.isKeyRevoked)
  const areKeysLost = areNew && (await storage.hasUsedCredential())
  if (areKeysLost) log.warn(LOST_KEYS)
  const folderWarning = findOpenFolder(parsed.keysDir)
  if (folderWarning !== undefined)
    log.warn('other users may change the signing keys', { reason: folderWarning })
  const upkeep = createUpkeep({
    storage,
    keyRing,
    keyLife,
    rules,
    log,
    auditKeptMs: parsed.auditDays * DAY_MS,
    now: Date.now,
  })
  await upkeep()
  const server = await listen(parsed.host, parsed.port)
  const config = withPort(parsed, server.port)
  let isStopping = false
  const uses = createUseLog({
    storage,
    log,
    defer: (milliseconds, work) => void setTimeout(() => void work(), milliseconds).unref(),
  })
  const counters = createMemoryCounters()
  const deps = {
    config,
    storage,
    lifetimeSeconds,
    keyRing,
    keyLife,
    rules,
    counters,
    uses,
    hashSecret: openSecretHash(config),
    log,
    metrics: createMetrics(),
    now: Date.now,
    peerOf: (context) => context.env.incoming.socket.remoteAddress,
    targetOf: (context) => context.env.incoming.url,
    sharesWork: true,
    settleMs: config.database.kind === 'memory' ? 0 : SETTLE_MS,
    isStopping: () => isStopping,
  } satisfies AppDeps
  const rounds = setInterval(upkeep, UPKEEP_MS)
  server.serve(createApp(deps).fetch, config.issuer + paths.docs)
  // Before the banner and the log line, because a process that reads them may send a signal immediately.
  onStopSignal(async (signal) => {
    isStopping = true
    log.info('stopping', { signal })
    clearInterval(rounds)
    await server.stop()
    await uses.flush()
    await storage.close()
    log.info('stopped')
  })
  printBanner(config, server.url, { areKeysLost })
  // Written at every log level, because a process that started the server on port 0 learns the port from this line.
  createLog('info').info('listening', { url: server.url, kid: keyRing.kid })
}

await main()
