// Waiting: for a time, and for work with a time limit.

/** Resolves after `ms` milliseconds: in a later turn of the event loop, 0 included. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Whether `work` resolves within `ms`. Does not cancel it. Rejects when `work` rejects within that time. */
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
