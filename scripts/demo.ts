// `npm run demo [-- --port <n>]`: an issuer, a protected API, a customer's web site and a thief's, each on a loopback
// origin of its own, until Ctrl-C. Everything it makes lives in a temporary folder and ends with it.

import { parseArgs } from 'node:util'
import { startDemo } from './demo/start.ts'

const GRACE_MS = 8000
/** Under npm one Ctrl-C comes twice: from the terminal, and from npm. */
const SAME_SIGNAL_MS = 500
const PLACES = 4

const stops: (() => Promise<void> | void)[] = []
let stoppedAt: number | undefined

/** Ends all that was started, the youngest first, and what is started meanwhile. */
async function stop(exitCode: number): Promise<void> {
  stoppedAt = performance.now()
  setTimeout(() => process.exit(1), GRACE_MS).unref()
  for (let end = stops.pop(); end !== undefined; end = stops.pop()) await end()
  process.exit(exitCode)
}

function onSignal(): void {
  if (stoppedAt === undefined) void stop(0)
  else if (performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(1)
}

/** While it is being stopped, what breaks off is no news. */
function fail(message: string): void {
  if (stoppedAt !== undefined) return
  process.stderr.write(`claimgate demo: ${message}\n`)
  void stop(1)
}

function readPort(): number | undefined {
  const { values } = parseArgs({ options: { port: { type: 'string' } } })
  if (values.port === undefined) return undefined
  const port = Number(values.port)
  if (/^\d+$/.test(values.port) && port >= 1 && port + PLACES - 1 <= 65_535) return port
  throw new TypeError(`--port: must be from 1 to ${65_536 - PLACES}; ${PLACES} ports from there on are used`)
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
