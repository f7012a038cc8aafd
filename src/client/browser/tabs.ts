// Tabs and workers of one origin take turns (Web Locks) and send each other messages (BroadcastChannel). Where a browser
// lacks or refuses either, each tab works alone.

import { sleep } from './renewal.ts'

/** The tabs and workers that use the same name, seen from one of them. */
export interface Tabs {
  /**
   * Runs `work` while no other tab runs its own. `hasWaited` tells whether another tab had its turn just before. After a
   * wait of 2 s it runs `work` without a turn, because a frozen tab may never end its turn.
   */
  takeTurn<T>(work: (hasWaited: boolean) => Promise<T>): Promise<T>
  /** Sends a message to all other tabs. */
  tell(message: unknown): void
}

const MAX_WAIT_MS = 2000

/**
 * Joins the tabs that use this name, until `signal` aborts. `onMessage` gets the messages of the others. With an empty name,
 * this tab stays alone.
 */
export function joinTabs(name: string, onMessage: (message: unknown) => void, signal: AbortSignal): Tabs {
  const channel = name ? openChannel(name) : undefined
  if (channel) channel.onmessage = ({ data }) => onMessage(data)
  const leave = () => channel?.close()
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave)

  return {
    async takeTurn(work) {
      let working: ReturnType<typeof work> | undefined
      // The lock is held until the work has ended. Its result or error is returned below.
      const start = async (hasWaited: boolean): Promise<true> => {
        working ??= work(hasWaited)
        await working.catch(() => undefined)
        return true
      }
      async function lock(): Promise<void> {
        if (!name) return
        const { locks } = navigator
        const isFree = await locks.request(name, { ifAvailable: true }, (held) => held && start(false))
        if (!isFree) await locks.request(name, () => start(true))
      }
      // Without the lock when the browser has none or refuses it, or when another tab holds it for too long.
      await Promise.race([lock().catch(() => undefined), sleep(MAX_WAIT_MS)])
      await start(false)
      return working as ReturnType<typeof work>
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
