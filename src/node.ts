// The server on Node: environment -> config -> service -> socket. `npm start` runs this file; the command `claimgate` imports
// it.

import { printBanner } from './adapters/node/banner.ts'
import { describeStartFault, isProduction, loadEnvironment } from './adapters/node/environment.ts'
import { createLineOutput, LINES_LOST } from './adapters/node/line-output.ts'
import { listen } from './adapters/node/server.ts'
import { ignoreDebuggerSignal, onStopSignal } from './adapters/node/signals.ts'
import { type Config, parseConfig, withPort } from './config/config.ts'
import { createLogger, type LogLevel } from './http/log.ts'
import { paths } from './http/paths.ts'
import { openOnNode } from './open-service.ts'

/** Starts the server from the environment. Resolves when it listens; if it cannot start, the process exits with code 1. */
export async function main(): Promise<void> {
  ignoreDebuggerSignal()
  // Without a listener the end of a program that reads stderr would end the service.
  process.stderr.on('error', () => undefined)
  try {
    await start(parseConfig(loadEnvironment()))
  } catch (error) {
    const lines = describeStartFault(error).split('\n')
    process.stderr.write(lines.map((line) => `claimgate cannot start: ${line}\n`).join(''))
    process.exit(1)
  }
}

async function start(parsed: Config): Promise<void> {
  const output = createLineOutput(process.stdout, (count) => log.warn(LINES_LOST, { count }))
  const createLog = (level: LogLevel) => createLogger({ level, write: output.write, now: Date.now })
  const log = createLog(parsed.logLevel)
  const service = await openOnNode(parsed, { log, production: isProduction(), linesLost: output.lost })
  const server = await listen(parsed.host, parsed.port)
  const config = withPort(parsed, server.port)
  server.serve(service.createApp(config).fetch, config.issuer + paths.docs)
  // Before the banner and the log line, because a process that reads them may send a signal immediately.
  onStopSignal(async (signal) => {
    service.beginStop()
    log.info('stopping', { signal })
    await server.stop()
    await service.close()
    log.info('stopped')
    await output.flush()
  })
  printBanner(config, server.url, { areKeysLost: service.areKeysLost })
  // Written at every log level, because a process that started the server on port 0 learns the port from this line.
  createLog('info').info('listening', { url: server.url, kid: service.kid })
}

await main()
