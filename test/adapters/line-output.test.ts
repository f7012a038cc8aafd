// Lines of the log when stdout has failed once: they are written again as soon as the system takes them.

import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { createLineOutput, type OutputStream } from '../../src/adapters/node/line-output.ts'

const open: number[] = []
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd)
})

/** A named pipe that nobody reads, as a stream that has failed. It takes 64 KiB. */
function createFailedPipe(): { readonly stream: OutputStream; readonly read: () => string } {
  const path = join(mkdtempSync(join(tmpdir(), 'claimgate-pipe-')), 'pipe')
  expect(spawnSync('mkfifo', [path]).status).toBe(0)
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  open.push(fd)
  const stream = Object.assign(new PassThrough(), { fd })
  stream.destroy()
  const bytes = Buffer.alloc(1024 * 1024)
  return { stream, read: () => bytes.toString('utf8', 0, readSync(fd, bytes)) }
}

test('lines that cannot be written are counted, and the next line that can be is followed by their number', () => {
  const { stream, read } = createFailedPipe()
  const reports: number[] = []
  const output = createLineOutput(stream, (lost) => {
    reports.push(lost)
    output.write(`${lost} lost`)
  })
  const line = 'a'.repeat(4095)
  for (let at = 0; at < 20; at++) output.write(line)
  expect([output.lost(), reports]).toEqual([4, []])
  expect(read()).toBe(`${line}\n`.repeat(16))
  output.write('one')
  output.write('two')
  expect(read()).toBe('one\n4 lost\ntwo\n')
  expect([output.lost(), reports]).toEqual([4, [4]])
})

test('a line that was written in part is lost, and the next one begins on a line of its own', () => {
  const { stream, read } = createFailedPipe()
  const output = createLineOutput(stream, () => undefined)
  // A write of more than 4096 bytes may be taken in part.
  output.write('b'.repeat(70_000))
  expect(output.lost()).toBe(1)
  expect(read()).toMatch(/^b+$/)
  output.write('whole')
  expect(read()).toBe('\nwhole\n')
})

test('at most a mebibyte waits for a reader', async () => {
  const reports: number[] = []
  const stream = Object.assign(new PassThrough({ highWaterMark: 1 }), { fd: -1 })
  const output = createLineOutput(stream, (lost) => reports.push(lost))
  const line = 'c'.repeat(1023)
  for (let at = 0; at < 2000; at++) output.write(line)
  expect(stream.writableLength).toBeLessThanOrEqual(1024 * 1024)
  expect(stream.writableLength).toBeGreaterThan(1000 * 1024)
  const kept = 2000 - output.lost()
  stream.resume()
  await output.flush()
  expect(stream.writableLength).toBe(0)
  output.write('after')
  expect(reports).toEqual([2000 - kept])
})

test('flush does not wait for a reader longer than half a second', async () => {
  const stream = Object.assign(new PassThrough({ highWaterMark: 1 }), { fd: -1 })
  const output = createLineOutput(stream, () => undefined)
  output.write('d'.repeat(5000))
  output.write('d'.repeat(5000))
  const startedAt = performance.now()
  await output.flush()
  expect(performance.now() - startedAt).toBeGreaterThan(450)
  expect(stream.writableLength).toBeGreaterThan(0)
})
