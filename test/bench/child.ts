// Starts a contestant's server process on a free port, reads its CPU time and memory, and stops it by pid.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** A server process that accepts requests. */
export interface Child {
  readonly url: string
  /** CPU time of all threads since the start, in microseconds. Null on systems other than Linux. */
  readCpuTime(): number | null
  /** Resident memory in MiB. Null on systems other than Linux. */
  readMemory(): number | null
  /** Sends SIGTERM, and SIGKILL after five seconds. Resolves when the process has ended. */
  stop(): Promise<void>
}

const GRACE_MS = 5000
const START_TIMEOUT_MS = 30_000

/** Linux reports CPU time in units of 10 ms, independent of the kernel's timer frequency. */
const MICROSECONDS_PER_TICK = 10_000

const running = new Set<ChildProcess>()

/** Starts `node <args>` and waits for its `{"msg":"listening","url":"…"}` line. Rejects with its stderr after 30 seconds. */
export async function startChild(
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<Child> {
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  const exited = once(child, 'exit').finally(() => running.delete(child))
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    // Enough to see why a start failed. The limit keeps a server's log out of memory.
    if (stderr.length < 10_000) stderr += text
  })
  const url = await Promise.race([
    readUrl(child.stdout),
    exited.then(() => null),
    new Promise<null>((resolve) => setTimeout(resolve, START_TIMEOUT_MS, null).unref()),
  ])
  if (url === null) throw new Error(`node ${args.join(' ')} did not start to listen:\n${stderr}`)
  return {
    url,
    readCpuTime: () => readCpuTime(child.pid),
    readMemory: () => readMemory(child.pid),
    async stop() {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
      await exited
      clearTimeout(timer)
    },
  }
}

/** Sends SIGKILL to every child, synchronously, so that a handler of `exit` can call it. */
export function killChildren(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** Resolves to the URL of the `listening` line, or to null at the end. Keeps reading, so that the pipe never fills. */
function readUrl(stdout: NodeJS.ReadableStream): Promise<string | null> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stdout })
    lines.on('line', (line) => {
      if (line.includes('"listening"')) resolve(JSON.parse(line).url)
    })
    lines.on('close', () => resolve(null))
  })
}

function readCpuTime(pid: number | undefined): number | null {
  const stat = readProcess(pid, 'stat')
  if (stat === null) return null
  // The second field, the name, may contain blanks. User and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK
}

function readMemory(pid: number | undefined): number | null {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readProcess(pid, 'status') ?? '')?.[1]
  return kibibytes === undefined ? null : Number(kibibytes) / 1024
}

function readProcess(pid: number | undefined, file: string): string | null {
  return process.platform === 'linux' ? readFileSync(`/proc/${pid}/${file}`, 'utf8') : null
}
