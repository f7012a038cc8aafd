// Reads a stream of bytes up to a limit, which is counted while reading: `Content-Length` may be absent or wrong.

/**
 * Gives each chunk of a stream to `take`. False if the stream has more than `maxBytes`: `take` gets no chunk beyond them,
 * and the stream is cancelled. Null is an empty stream. Rejects if the stream breaks off, or with what `take` throws.
 */
export async function readChunks(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  take: (chunk: Uint8Array) => void,
): Promise<boolean> {
  const reader = stream?.getReader()
  let total = 0
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    total += part.value.length
    if (total > maxBytes) {
      await reader?.cancel().catch(() => undefined)
      return false
    }
    take(part.value)
  }
  return true
}

/** All bytes of a stream, or undefined if there are more than `maxBytes`. Rejects if the stream breaks off. */
export async function readBytes(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  const isComplete = await readChunks(stream, maxBytes, (chunk) => chunks.push(chunk))
  return isComplete ? joinBytes(chunks) : undefined
}

/** The bytes of several chunks in one array. */
export function joinBytes(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.length
  }
  return all
}
