// Waiting with a time limit.

/** Whether work ends within `ms`; it goes on either way. Rejects when the work does in that time. */
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
