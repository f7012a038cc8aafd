// SIGTERM, SIGINT and SIGHUP stop the process gracefully. A second signal, or 10 s without an end, exits with code 1. SIGUSR1
// is ignored.

const GRACE_MS = 10_000

/** Signals within this time count as one: under `npm start`, Ctrl-C arrives from the terminal and from npm. */
const SAME_SIGNAL_MS = 500

/** Calls `stop` once, on the first signal. Exits with code 0 when it resolves, 1 when it rejects. */
export function onStopSignal(stop: (signal: string) => Promise<void>): void {
  let stoppedAt: number | undefined
  const handle = (signal: string): void => {
    const now = performance.now()
    if (stoppedAt !== undefined) {
      if (now - stoppedAt > SAME_SIGNAL_MS) process.exit(1)
      return
    }
    stoppedAt = now
    setTimeout(() => process.exit(1), GRACE_MS).unref()
    stop(signal).then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, handle)
}

/**
 * Ignores SIGUSR1, for which Node would open its debugger; every user of the machine can run code in the server through that.
 * scripts/check-node.mjs does the same earlier, because loading the source takes some tenths of a second.
 */
export function ignoreDebuggerSignal(): void {
  process.on('SIGUSR1', () => undefined)
}
