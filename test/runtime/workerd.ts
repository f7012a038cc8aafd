// Starts the Worker as a developer does, in a real workerd with a database of its own, and stops it by pid.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findFreePort } from '../support/ports.ts'
import { ADMIN_TOKEN } from '../support/server.ts'

export interface RunningWorkerd {
  /** Where it answers; the issuer, unless a variable says otherwise. */
  readonly url: string
  /** Pid of scripts/dev-worker.ts, above wrangler and workerd. */
  readonly pid: number
  /** Everything written so far, log lines of the Worker included. */
  readonly output: () => string
  /** Sends a signal, waits until it is gone, removes what was made for it. Gives its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

const START_TIMEOUT_MS = 60_000
const REPOSITORY = join(import.meta.dirname, '../..')

/** Where a Worker lives; folders of its own, which go when it stops, unless told otherwise. */
export interface WorkerdOptions {
  /** Folder of its records. */
  readonly persistTo?: string
  /** Checkout to run in, whose `.dev.vars` count; otherwise this one, whose `.dev.vars` do not. */
  readonly checkout?: string
}

/**
 * Runs scripts/dev-worker.ts on a free port and waits until it is ready. `vars` are its variables; the admin token is
 * `ADMIN_TOKEN` unless given, and so is the master key a new one, except in a checkout that may have its own. What is
 * undefined is not said.
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
      // wrangler stays and waits for the files to change.
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
