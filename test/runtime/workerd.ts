// Starts the Worker as a developer does, in workerd with an empty database, and stops it by pid.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '../support/ports.ts'
import { ADMIN_TOKEN } from '../support/server.ts'

export interface RunningWorkerd {
  /** Base URL of the Worker, and its issuer by default. */
  readonly url: string
  /** Pid of scripts/dev-worker.ts, the parent of wrangler and workerd. */
  readonly pid: number
  /** All output so far, including log lines of the Worker. */
  readonly output: () => string
  /** Sends a signal, waits for the end, removes temporary folders. Resolves to the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

const START_TIMEOUT_MS = 60_000
const REPOSITORY = join(import.meta.dirname, '../..')

/** Folders of a Worker. By default temporary ones, which are removed when it stops. */
export interface WorkerdOptions {
  /** Folder in which D1 keeps its records. */
  readonly persistTo?: string
  /** Repository to run in, whose `.dev.vars` are read. By default this one, whose `.dev.vars` are ignored. */
  readonly checkout?: string
}

/**
 * Runs scripts/dev-worker.ts on a free port and waits until it is ready. `vars` are the variables of the Worker; undefined
 * ones are omitted. By default the admin token is `ADMIN_TOKEN`, and the master key is a new one; with
 * `checkout` the script reads the master key from `.dev.vars`, or creates it there.
 */
export async function startWorkerd(
  vars: Readonly<Record<string, string | undefined>>,
  { persistTo, checkout }: WorkerdOptions = {},
): Promise<RunningWorkerd> {
  const dir = mkdtempSync(join(tmpdir(), 'claimgate-workerd-'))
  const noVars = join(dir, 'no.vars')
  writeFileSync(noVars, '')
  const all = {
    CLAIMGATE_ADMIN_TOKEN: ADMIN_TOKEN,
    ...(checkout === undefined && { CLAIMGATE_MASTER_KEY: randomBytes(32).toString('base64url') }),
    ...vars,
  }
  const port = await findFreePort()
  const flags = [
    ...['--port', String(port), '--inspector-port', '0'],
    ...(checkout === undefined ? ['--env-file', noVars] : []),
    ...['--persist-to', persistTo ?? join(dir, 'state')],
    ...Object.entries(all).flatMap(([name, value]) =>
      value === undefined ? [] : ['--var', `${name}:${value}`],
    ),
  ]
  const child = spawn(process.execPath, [join(REPOSITORY, 'scripts/dev-worker.ts'), ...flags], {
    cwd: checkout ?? REPOSITORY,
    env: {
      ...process.env,
      WRANGLER_LOG_PATH: join(dir, 'logs'),
      WRANGLER_REGISTRY_PATH: join(dir, 'registry'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let output = ''
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal)
    const code = await exited
    rmSync(dir, { recursive: true, force: true })
    return code
  }
  const ready = new Promise<void>((resolve, reject) => {
    const listen = (chunk: Buffer) => {
      output += chunk
      if (output.includes(`Ready on http://127.0.0.1:${port}`)) resolve()
      // After an error wrangler keeps running and waits for a file to change.
      if (output.includes('Build failed')) reject(new Error(`the Worker cannot be built:\n${output}`))
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', listen)
    void exited.then((code) => reject(new Error(`dev-worker exited with ${code}:\n${output}`)))
    setTimeout(() => reject(new Error(`dev-worker is not ready:\n${output}`)), START_TIMEOUT_MS).unref()
  })
  try {
    await ready
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `http://127.0.0.1:${port}`, pid: child.pid as number, output: () => output, stop }
}
