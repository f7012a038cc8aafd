// SIGTERM and SIGINT: one orderly stop; a second signal, or ten seconds, ends it at once with exit code 1.

const GRACE_MS = 10_000

/** Under `npm start` one Ctrl-C reaches the process twice: from the terminal, and from npm. */
const SAME_SIGNAL_MS = 500

/** Calls `stop` once on the first signal; exits 0 when it resolves. */
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
  process.on('SIGTERM', handle)
  process.on('SIGINT', handle)
}
