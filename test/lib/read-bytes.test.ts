// Reading a stream up to a limit.

import { expect, test } from 'vitest'
import { joinBytes, readBytes, readChunks } from '../../src/lib/read-bytes.ts'

/** A stream of chunks of these sizes. `state` says how many were read and whether the stream was cancelled. */
function createStream(sizes: readonly number[]): {
  readonly stream: ReadableStream<Uint8Array>
  readonly state: { pulled: number; isCancelled: boolean }
} {
  const state = { pulled: 0, isCancelled: false }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const size = sizes[state.pulled]
        if (size === undefined) return controller.close()
        state.pulled += 1
        controller.enqueue(new Uint8Array(size).fill(state.pulled))
      },
      cancel() {
        state.isCancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { stream, state }
}

test.each<[string, readonly number[], number, number[] | undefined]>([
  ['a stream without chunks gives no bytes', [], 0, []],
  ['a stream of exactly the limit is read', [2, 1], 3, [1, 1, 2]],
  ['a stream one byte over the limit is cancelled', [2, 2], 3, undefined],
  ['a stream with one chunk over the limit is cancelled', [4], 3, undefined],
  ['empty chunks are skipped', [0, 1, 0], 1, [2]],
])('%s', async (_, sizes, maxBytes, expected) => {
  const { stream, state } = createStream(sizes)
  const bytes = await readBytes(stream, maxBytes)
  expect(bytes && [...bytes]).toEqual(expected)
  expect(state.isCancelled).toBe(expected === undefined)
})

test('nothing more is read after the limit is exceeded', async () => {
  const { stream, state } = createStream([2, 2, 2, 2])
  const taken: number[] = []
  expect(await readChunks(stream, 3, (chunk) => taken.push(chunk.length))).toBe(false)
  expect(taken).toEqual([2])
  expect(state).toEqual({ pulled: 2, isCancelled: true })
})

test('a stream whose chunk cannot be used is cancelled, and another reader may lock it', async () => {
  const { stream, state } = createStream([1, 1])
  const fail = (): void => {
    throw new Error('not UTF-8')
  }
  await expect(readChunks(stream, 10, fail)).rejects.toThrow('not UTF-8')
  expect(state).toEqual({ pulled: 1, isCancelled: true })
  expect(stream.locked).toBe(false)
})

test('a missing stream reads as no bytes', async () => {
  expect(await readBytes(null, 0)).toEqual(new Uint8Array(0))
})

test('a stream that fails rejects with its error', async () => {
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.error(new Error('connection lost')),
  })
  await expect(readBytes(stream, 10)).rejects.toThrow('connection lost')
})

test('a stream over the limit whose cancel fails is still answered as too long', async () => {
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(4)),
    cancel: () => Promise.reject(new Error('connection lost')),
  })
  expect(await readBytes(stream, 3)).toBeUndefined()
})

test('chunks are joined in order', () => {
  expect(joinBytes([new Uint8Array([1]), new Uint8Array(), new Uint8Array([2, 3])])).toEqual(
    new Uint8Array([1, 2, 3]),
  )
})
