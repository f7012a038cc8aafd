// What a person types, or a pipe brings: one line, never shown where it is a secret.

import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { usageError } from './fault.ts'
import { printAside } from './output.ts'

/** The first line of stdin. A person at a terminal is asked for it, and it is not shown while typed. */
export async function readStdinLine(what: string): Promise<string> {
  const isTerminal = process.stdin.isTTY
  if (isTerminal) printAside(`${what}: `)
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  const line = await readLine(silence)
  if (isTerminal) printAside('\n')
  if (line === undefined) throw usageError(`stdin holds no ${what}`)
  return line
}

/** Whether a person at the terminal agrees. Without one it is never asked: see `process.stdin.isTTY`. */
export async function confirm(question: string): Promise<boolean> {
  printAside(`${question} [y/N] `)
  const line = await readLine(process.stderr)
  if (line === undefined) printAside('\n')
  return /^\s*y(es)?\s*$/i.test(line ?? '')
}

async function readLine(output: NodeJS.WritableStream): Promise<string | undefined> {
  const lines = createInterface({ input: process.stdin, output, terminal: process.stdin.isTTY })
  try {
    for await (const line of lines) return line
    return undefined
  } finally {
    lines.close()
  }
}
