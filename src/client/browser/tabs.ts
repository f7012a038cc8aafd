// Tabs and workers of one origin take turns (Web Locks) and tell each other (BroadcastChannel). Where a browser has
// neither, or refuses them, each is alone and everything still works.

/** The others. */
export interface Tabs {
  /**
   * Runs `work` when it is this tab's turn; it is told whether another had its turn just before. A tab that keeps its
   * turn for ever, asleep perhaps, is not waited for longer than 10 s.
   */
  takeTurn<T>(work: (hasWaited: boolean) => Promise<T>): Promise<T>
  /** Tells all others. */
  tell(message: unknown): void
}

const PATIENCE_MS = 10_000

/** Joins those that use the same name. */
export function joinTabs(name: string, onMessage: (message: unknown) => void, signal: AbortSignal): Tabs {
  const channel = openChannel(name)
  if (channel) channel.onmessage = ({ data }) => onMessage(data)
  const leave = () => channel?.close()
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave)

  return {
    async takeTurn(work) {
      let working: ReturnType<typeof work> | undefined
      // The lock is held until the work has ended; how it ended is told below.
      const start = async (hasWaited: boolean): Promise<true> => {
        working = work(hasWaited)
        await working.catch(() => undefined)
        return true
      }
      try {
        const { locks } = navigator
        const isFree = await locks.request(name, { ifAvailable: true }, (lock) => lock && start(false))
        if (!isFree) {
          await locks.request(name, { signal: AbortSignal.timeout(PATIENCE_MS) }, () => start(true))
        }
      } catch {
        // No locks here, or none for us.
      }
      return working ?? work(false)
    },
    tell(message) {
      if (!signal.aborted) channel?.postMessage(message)
    },
  }
}

function openChannel(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name)
  } catch {
    return undefined
  }
}
