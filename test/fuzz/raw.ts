// Sends raw bytes to a server over TCP and parses its HTTP answers.

import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import type { SeenAnswer } from './answers.ts'

/** Reading ends when the server sends nothing for this time, milliseconds. */
const SILENCE_MS = 150

/** Writes the pieces one after the other and reads until the server closes, or is silent for a while. */
export function exchangeBytes(port: number, pieces: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    let got = ''
    const finish = (): void => {
      socket.destroy()
      resolve(got)
    }
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.setTimeout(SILENCE_MS, finish)
    socket.on('data', (text: string) => {
      got += text
    })
    // A server that has closed the connection answers later bytes with a reset.
    socket.on('error', finish)
    socket.on('close', finish)
    void (async () => {
      for (const piece of pieces) {
        if (!socket.destroyed) socket.write(piece, 'latin1')
        await setImmediate()
      }
    })()
  })
}

/** The HTTP/1.1 answers in a text, without `100 Continue`; undefined when the text has another format. */
export function parseAnswers(text: string): readonly SeenAnswer[] | undefined {
  if (text === '') return []
  const answers: SeenAnswer[] = []
  for (const one of text.split(/(?=HTTP\/1\.1 \d{3} )/)) {
    const end = one.indexOf('\r\n\r\n')
    const [line = '', ...lines] = one.slice(0, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1])
    if (end < 0 || !(status >= 100)) return undefined
    if (status === 100) continue
    const headers = new Headers()
    for (const field of lines) {
      const colon = field.indexOf(':')
      headers.append(field.slice(0, colon), field.slice(colon + 1).trim())
    }
    const body = one.slice(end + 4)
    answers.push({ status, headers, text: headers.has('transfer-encoding') ? joinChunks(body) : body })
  }
  return answers
}

function joinChunks(body: string): string {
  let joined = ''
  let rest = body
  for (let match = /^([\da-f]+)\r\n/i.exec(rest); match !== null; match = /^([\da-f]+)\r\n/i.exec(rest)) {
    const length = Number.parseInt(match[1] ?? '0', 16)
    if (length === 0) break
    joined += rest.slice(match[0].length, match[0].length + length)
    rest = rest.slice(match[0].length + length + 2)
  }
  return joined
}

/** CPU time of a process's main thread, milliseconds; undefined where /proc does not have it (only Linux does). */
export function mainThreadMs(pid: number): number | undefined {
  try {
    const [ran] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')
    return Number(ran) / 1e6
  } catch {
    return undefined
  }
}
