// Fetches a document from an issuer, within limits of time and size. Redirects are not followed. Fetches are cancelled
// when the verifier is closed. The content is not checked.

import { readChunks } from '../../lib/read-bytes.ts'
import { createUtf8Decoder } from '../../lib/utf8.ts'

/** Headers and limits of one fetch. */
export interface FetchOptions {
  /** Value of the `Accept` header. */
  readonly accept: string
  /** Milliseconds from the request to the last byte of the answer. */
  readonly timeoutMs: number
  /** Size limit of the body, counted after content decoding. */
  readonly maxBytes: number
  /** Entity tag of the version in memory, for `If-None-Match` (RFC 9110 section 13.1.2). */
  readonly etag?: string | undefined
}

/** The body of a 200 answer. */
export interface FetchedText {
  readonly text: string
  /** Its entity tag, if the issuer sent one. */
  readonly etag: string | undefined
}

/** Fetches texts until it is closed. */
export interface TextFetcher {
  /**
   * Resolves to the body of a 200 answer, or undefined for a 304 answer to `etag`. Rejects on any other status including
   * redirects, on a body that is too long or not UTF-8, on a network error, and after the timeout. The message of the error
   * does not contain the URL.
   */
  fetchText(url: string, options: FetchOptions): Promise<FetchedText | undefined>
  /** Cancels all fetches; later ones reject. */
  close(): void
}

/** Creates a {@link TextFetcher}; `fetcher` is `fetch`, or a replacement in tests. */
export function createTextFetcher(fetcher: typeof fetch): TextFetcher {
  const open = new Set<AbortController>()
  let isClosed = false

  return {
    async fetchText(url, { accept, timeoutMs, maxBytes, etag }) {
      if (isClosed) throw new Error('the fetcher is closed')
      const abort = new AbortController()
      open.add(abort)
      const timer = setTimeout(() => abort.abort(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs)
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
        // Closes the connection if the body was not read to its end.
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
  // Decoded chunk by chunk, because decoding a long list of revocations in one call would block the event loop.
  const decoder = createUtf8Decoder()
  let text = ''
  const isComplete = await readChunks(response.body, maxBytes, (chunk) => {
    text += decoder.decode(chunk, { stream: true })
  })
  if (!isComplete) throw new Error("the issuer's answer is too large")
  return text + decoder.decode()
}
