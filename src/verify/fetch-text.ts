// Fetching a small document from an issuer: bounded in time and size, never redirected.

/** Bounds of a fetch. */
export interface FetchBounds {
  readonly timeoutMs: number
  readonly maxBytes: number
}

/**
 * The body of a 200 at `url` as text. Rejects on anything else: another status, a redirect, a body over the bound,
 * no answer in time. The reason holds no URL.
 */
export async function fetchText(
  fetcher: typeof fetch,
  url: string,
  { timeoutMs, maxBytes }: FetchBounds,
): Promise<string> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(), timeoutMs)
  try {
    const response = await fetcher(url, {
      headers: { accept: 'application/json' },
      redirect: 'manual',
      signal: abort.signal,
    })
    if (response.status !== 200) throw new Error(`the issuer answered ${response.status}`)
    return await readText(response, maxBytes)
  } finally {
    clearTimeout(timer)
    abort.abort()
  }
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let text = ''
  let total = 0
  const reader = response.body?.getReader()
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    total += part.value.length
    if (total > maxBytes) throw new Error('the answer of the issuer is too large')
    text += decoder.decode(part.value, { stream: true })
  }
  return text + decoder.decode()
}
