// A contestant's process: started on a free port of its own, measured from outside, always stopped by its pid.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** A server that listens. */
export interface Child {
  readonly url: string
  /** Processor time since its start, all threads, in microseconds; null where the system does not tell. */
  readCpuTime(): number | null
  /** Resident memory in MiB; null where the system does not tell. */
  readMemory(): number | null
  /** SIGTERM, then SIGKILL after five seconds; resolves when it is gone. */
  stop(): Promise<void>
}

const GRACE_MS = 5000
const START_TIMEOUT_MS = 30_000

/** Linux counts processor time in hundredths of a second, whatever the kernel's own clock is. */
const MICROSECONDS_PER_TICK = 10_000

const running = new Set<ChildProcess>()

/** Starts `node <args>` and waits for its `{"msg":"listening","url":"…"}` line; rejects with its stderr if none comes. */
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
    // The beginning tells why a start failed; a chatty server must not fill our memory.
    if (stderr.length < 10_000) stderr += text
  })
  const url = await Promise.race([
    readUrl(child.stdout),
    exited.then(() => null),
    new Promise<null>((resolve) => setTimeout(resolve, START_TIMEOUT_MS, null).unref()),
  ])
  if (url === null) throw new Error(`node ${args.join(' ')} does not listen:\n${stderr}`)
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

/** Ends every child at once; for the last moment of this process. */
export function killChildren(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** Resolves at the line that tells it; goes on reading, so that the pipe never fills. Null at the end of the stream. */
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
  // The second field, the name, may hold blanks; user and system time are fields 14 and 15.
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
