// Reads a stream of bytes up to a limit. Bytes are counted while reading, because `Content-Length` may be absent or wrong.

/**
 * Calls `take` with each chunk of a stream. Resolves to true at the end of the stream, and to false if it has more than
 * `maxBytes`: then the chunk that exceeds the limit is not passed on, and the stream is cancelled. Null counts as an empty
 * stream. Rejects with the stream's error, or with what `take` throws; then too the stream is cancelled. The stream is
 * never left locked.
 */
export async function readChunks(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
  take: (chunk: Uint8Array) => void,
): Promise<boolean> {
  if (stream === null) return true
  const reader = stream.getReader()
  let isAtEnd = false
  try {
    let total = 0
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      total += part.value.length
      if (total > maxBytes) return false
      take(part.value)
    }
    isAtEnd = true
    return true
  } finally {
    if (!isAtEnd) await reader.cancel().catch(() => undefined)
    reader.releaseLock()
  }
}

/**
 * All bytes of a stream; undefined, with the stream cancelled, if there are more than `maxBytes`. Null counts as an empty
 * stream. Rejects with the stream's error.
 */
export async function readBytes(
  stream: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  const isComplete = await readChunks(stream, maxBytes, (chunk) => chunks.push(chunk))
  return isComplete ? joinBytes(chunks) : undefined
}

/** Copies several chunks, in order, into one array. */
export function joinBytes(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.length
  }
  return all
}
