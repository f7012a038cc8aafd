// Fetching a small document from an issuer: bounded in time and size, never redirected, given up when its owner
// closes. Judges nothing of what is in it.

import { createUtf8Decoder } from '../../lib/utf8.ts'

/** What is asked for, and how much of it is taken. */
export interface FetchWish {
  readonly accept: string
  /** From the request to the last byte. */
  readonly timeoutMs: number
  /** Of the decoded body. */
  readonly maxBytes: number
  /** Entity tag of what is held: an answer 304 is welcome then (RFC 9110 section 13.1.2). */
  readonly etag?: string | undefined
}

/** What came. */
export interface FetchedText {
  readonly text: string
  readonly etag: string | undefined
}

/** Fetches texts until it is closed. */
export interface TextFetcher {
  /**
   * The body of a 200 at `url`, or undefined for a 304 to `etag`. Rejects on anything else: another status, a
   * redirect, a body over the bound or not UTF-8, no whole answer in time. The reason holds no URL.
   */
  fetchText(url: string, wish: FetchWish): Promise<FetchedText | undefined>
  /** Gives up what is under way; later fetches reject. */
  close(): void
}

/** A fetcher on top of `fetcher`. */
export function createTextFetcher(fetcher: typeof fetch): TextFetcher {
  const open = new Set<AbortController>()
  let isClosed = false

  return {
    async fetchText(url, { accept, timeoutMs, maxBytes, etag }) {
      if (isClosed) throw new Error('the fetcher is closed')
      const abort = new AbortController()
      open.add(abort)
      const timer = setTimeout(() => abort.abort(), timeoutMs)
      try {
        const response = await fetcher(url, {
          headers: { accept, ...(etag !== undefined && { 'if-none-match': etag }) },
          redirect: 'manual',
          signal: abort.signal,
        })
        if (response.status === 304 && etag !== undefined) return undefined
        if (response.status !== 200) throw new Error(`the issuer answered ${response.status}`)
        const text = await readText(response, maxBytes)
        return { text, etag: response.headers.get('etag') ?? undefined }
      } finally {
        clearTimeout(timer)
        open.delete(abort)
        // Frees the connection of a body that was not read to its end.
        abort.abort()
      }
    },
    close() {
      isClosed = true
      for (const abort of open) abort.abort()
    },
  }
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const decoder = createUtf8Decoder()
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
