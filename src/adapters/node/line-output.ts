// Lines of the log, written to stdout. A reader that stops reading or ends, and a full disk, cost lines, never the service:
// they do not block it, fill its memory or end it. Lost lines are counted, and the log says so when it can be written again.

import { writeSync } from 'node:fs'
import type { Writable } from 'node:stream'

/** What the log says about lost lines, with their `count`. */
export const LINES_LOST = 'lines of this log were lost: stdout was not read, closed or full'

/** Most characters that wait for a reader. */
const MAX_WAITING = 1024 * 1024

/** How long the end of the process waits for a reader, milliseconds. */
const FLUSH_MS = 500

/** What is written to: `process.stdout`, or a stream like it. */
export type OutputStream = Pick<
  Writable,
  'write' | 'destroyed' | 'writableLength' | 'writableNeedDrain' | 'on'
> & {
  /** File descriptor. It stays open when the stream is destroyed, as that of stdout does. */
  readonly fd: number
}

/** An output of whole lines. */
export interface LineOutput {
  /** Writes a line without its line end. Never throws, and never waits for a reader. */
  write(line: string): void
  /** Number of lines that were lost since the output was created. */
  lost(): number
  /** Resolves when no line waits for a reader any more, at the latest after half a second. */
  flush(): Promise<void>
}

/**
 * Creates an output on a stream. `report` is called when a line could be written after others were lost, with the number of
 * those; it may call `write`. Listens for errors of the stream, which otherwise would end the process.
 */
export function createLineOutput(stream: OutputStream, report: (lost: number) => void): LineOutput {
  let lost = 0
  let reported = 0
  let isLineOpen = false
  const onWritten = (error: Error | null | undefined): void => {
    if (error) lost += 1
  }
  stream.on('error', () => undefined)

  // After its first error a stream takes nothing more. A full disk may have room later, so the lines bypass the stream.
  const writeDirectly = (line: string): boolean => {
    const bytes = Buffer.from(isLineOpen ? `\n${line}\n` : `${line}\n`)
    try {
      const written = writeSync(stream.fd, bytes)
      isLineOpen = written < bytes.length
      return !isLineOpen
    } catch {
      return false
    }
  }
  const put = (line: string): boolean => {
    if (stream.destroyed) return writeDirectly(line)
    if (stream.writableLength + line.length > MAX_WAITING) return false
    stream.write(`${line}\n`, onWritten)
    return true
  }

  return {
    write(line) {
      if (!put(line)) lost += 1
      else if (lost > reported) {
        const count = lost - reported
        // Set first, because `report` writes a line too.
        reported = lost
        report(count)
      }
    },
    lost: () => lost,
    async flush() {
      if (stream.destroyed || stream.writableLength === 0) return
      await new Promise<void>((resolve) => {
        setTimeout(resolve, FLUSH_MS)
        stream.write('', () => resolve())
      })
    },
  }
}
