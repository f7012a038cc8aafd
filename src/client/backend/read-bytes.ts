// Reading a body within a bound: it is counted while it is read, whatever its headers say.

/** All of a stream, or undefined once it is over `max` bytes; no more is read then. Rejects when it breaks off. */
export async function readBytes(
  stream: ReadableStream<Uint8Array> | null,
  max: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let total = 0
  const reader = stream?.getReader()
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    total += part.value.length
    if (total > max) {
      await reader?.cancel().catch(() => undefined)
      return undefined
    }
    chunks.push(part.value)
  }
  return joinBytes(chunks)
}

/** Chunks as one. */
export function joinBytes(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.length
  }
  return all
}
