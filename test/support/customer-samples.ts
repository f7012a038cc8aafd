// The samples of a customer's client-token endpoint in other languages, each started as a process of its own.

import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { canConnect, findFreePort } from './ports.ts'

const FOLDER = join(import.meta.dirname, '../examples/customer')

export interface Sample {
  readonly language: string
  /** Its program, which prints a version for `version`. */
  readonly command: string
  readonly version: string
  readonly args: (port: number) => readonly string[]
}

export const samples: readonly Sample[] = [
  {
    language: 'Python',
    command: 'python3',
    version: '--version',
    args: () => [join(FOLDER, 'client_token.py')],
  },
  {
    language: 'PHP',
    command: 'php',
    version: '--version',
    args: (port) => ['-S', `127.0.0.1:${port}`, join(FOLDER, 'client_token.php')],
  },
  {
    language: 'Ruby',
    command: 'puma',
    version: '--version',
    args: (port) => ['-b', `tcp://127.0.0.1:${port}`, join(FOLDER, 'client_token.ru')],
  },
  { language: 'Go', command: 'go', version: 'version', args: () => ['run', join(FOLDER, 'client_token.go')] },
]

/** What a sample is configured with. */
export interface SampleSettings {
  readonly issuer: string
  readonly accountToken: string
  readonly site: string
  readonly api: string
}

/** A sample that listens. */
export interface RunningSample {
  readonly origin: string
  /** Everything that it has written so far. */
  readonly output: () => string
  stop(): void
}

/** Whether the program of a sample is installed. */
export function isRunnable({ command, version }: Sample): boolean {
  return spawnSync(command, [version]).status === 0
}

/** Starts a sample, and waits until it listens. `go run` first compiles it, which takes some seconds. */
export async function startSample(
  { command, args }: Sample,
  { issuer, accountToken, site, api }: SampleSettings,
): Promise<RunningSample> {
  const port = await findFreePort()
  const child = spawn(command, args(port), {
    // A process group of its own, because `go run` starts the program that it has built as a child.
    detached: true,
    env: {
      ...process.env,
      PORT: String(port),
      CLAIMGATE_ISSUER: issuer,
      CLAIMGATE_ACCOUNT_TOKEN: accountToken,
      CLAIMGATE_API_URL: api,
      SITE_ORIGIN: site,
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      output += part
    })
  }
  for (let tries = 0; !(await canConnect(port)); tries += 1) {
    if (tries > 600 || child.exitCode !== null) throw new Error(`the sample does not listen: ${output}`)
    await setTimeout(100)
  }
  return {
    origin: `http://127.0.0.1:${port}`,
    output: () => output,
    stop: () => void process.kill(-(child.pid as number), 'SIGTERM'),
  }
}
