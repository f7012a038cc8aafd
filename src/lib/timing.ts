// Waiting for a time, and for work with a time limit.

/** Resolves after `ms` milliseconds; for 0 also in a later turn of the event loop. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/**
 * Resolves to true when `work` resolves within `ms` milliseconds, else to false; the work is not cancelled. Rejects when
 * `work` rejects within that time. A later rejection is ignored.
 */
export async function isDoneWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const end = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, ms, false)
  })
  try {
    return await Promise.race([work.then(() => true), end])
  } finally {
    clearTimeout(timer)
  }
}
