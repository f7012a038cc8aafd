// The server on Node: environment -> config -> adapters -> createApp -> serve. Names adapters and reads the
// environment; nothing imports it but the command line.

import { printBanner } from './adapters/banner.ts'
import { describeStartFault, loadEnvironment } from './adapters/environment.ts'
import { listen } from './adapters/node-server.ts'
import { openKeys, openSecretHash, openStorage } from './adapters/open.ts'
import { onStopSignal } from './adapters/signals.ts'
import { createApp } from './app.ts'
import { type Config, parseConfig, withPort } from './config.ts'
import { createMemoryLimiter } from './http/limits.ts'
import { createLogger, type LogLevel } from './http/log.ts'
import { createMetrics } from './http/metrics.ts'
import { createCachedStorage } from './storage/cached.ts'

/** Starts the server from the environment. Resolves when it listens; a fault ends the process with exit code 1. */
export async function main(): Promise<void> {
  try {
    await start(parseConfig(loadEnvironment()))
  } catch (error) {
    const lines = describeStartFault(error).split('\n')
    process.stderr.write(lines.map((line) => `claimgate cannot start: ${line}\n`).join(''))
    process.exit(1)
  }
}

async function start(asked: Config): Promise<void> {
  // Whoever reads the log may go away: the service goes on.
  process.stdout.on('error', () => undefined)
  const createLog = (level: LogLevel) =>
    createLogger({ level, write: (line) => process.stdout.write(`${line}\n`), now: Date.now })
  const log = createLog(asked.logLevel)
  const inner = await openStorage(asked)
  const keys = await openKeys(asked)
  const server = await listen(asked.host, asked.port)
  const config = withPort(asked, server.port)
  let isStopping = false
  const storage = createCachedStorage(inner)
  const app = createApp({
    config,
    storage,
    keys,
    hashSecret: openSecretHash(config),
    limiter: config.rateLimit === null ? null : createMemoryLimiter(config.rateLimit),
    log,
    metrics: createMetrics(),
    now: Date.now,
    peerOf: (context) => context.env.incoming.socket.remoteAddress,
    isStopping: () => isStopping,
  })
  server.serve(app.fetch, `${config.issuer}/docs`)
  // Before anybody is told that we listen: who reads it may stop us at once.
  onStopSignal(async (signal) => {
    isStopping = true
    log.info('stopping', { signal })
    await server.stop()
    await storage.close()
    log.info('stopped')
  })
  printBanner(config, server.url)
  // Whatever the level: whoever started us on a free port must learn which.
  createLog('info').info('listening', { url: server.url, kid: keys.kid })
}

await main()
