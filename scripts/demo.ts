// `npm run demo [-- --port <n>]`: runs an issuer, a protected API, a customer's web site and a thief's web site, each on
// its own loopback origin, until Ctrl-C. All files are in a temporary folder, which is deleted at the end.

import { parseArgs } from 'node:util'
import { startDemo } from './demo/start.ts'

/** Milliseconds after which the process exits although something did not stop. */
const MAX_STOP_MS = 8000
/** Under npm one Ctrl-C arrives twice, from the terminal and from npm: signals within this time are one. */
const SAME_SIGNAL_MS = 500
const SERVERS = 4

const stops: (() => Promise<void> | void)[] = []
let stoppedAt: number | undefined

/** Stops everything that was started, in reverse order, also what starts while it runs. */
async function stop(exitCode: number): Promise<void> {
  stoppedAt = performance.now()
  setTimeout(() => process.exit(1), MAX_STOP_MS).unref()
  for (let end = stops.pop(); end !== undefined; end = stops.pop()) await end()
  process.exit(exitCode)
}

function onSignal(): void {
  if (stoppedAt === undefined) void stop(0)
  else if (performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(1)
}

/** Reports a failure and stops; ignores failures that stopping itself causes. */
function fail(message: string): void {
  if (stoppedAt !== undefined) return
  process.stderr.write(`claimgate demo: ${message}\n`)
  void stop(1)
}

function readPort(): number | undefined {
  const { values } = parseArgs({ options: { port: { type: 'string' } } })
  if (values.port === undefined) return undefined
  const port = Number(values.port)
  if (/^\d+$/.test(values.port) && port >= 1 && port + SERVERS - 1 <= 65_535) return port
  throw new TypeError(
    `--port: must be from 1 to ${65_536 - SERVERS}; ${SERVERS} ports from there on are used`,
  )
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
try {
  const { site, api, issuer, thief } = await startDemo({
    port: readPort(),
    onStop: (end) => void stops.push(end),
    onFailure: fail,
  })
  const isColoured = process.stderr.isTTY && !process.env.NO_COLOR
  const bold = (text: string): string => (isColoured ? `\x1b[1m${text}\x1b[22m` : text)
  process.stderr.write(
    `
claimgate demo: what a token is good for, and what a thief can do with it

  a customer's web site  ${site}
  the API it calls       ${api}
  the issuer, claimgate  ${issuer}
  a thief's web site     ${thief}

open ${bold(site)} in a browser. Ctrl-C ends everything.

`,
  )
} catch (error) {
  fail((error as Error).message)
}
