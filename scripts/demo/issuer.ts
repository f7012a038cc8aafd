// The issuer: the real server in a process of its own, with its files in a temporary folder that goes with it.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A running issuer, and the provider's hand on it. */
export interface Issuer {
  readonly url: string
  /** Calls the admin API; rejects when it refuses. */
  // biome-ignore lint/suspicious/noExplicitAny: JSON of our own server
  admin(path: string, body: object): Promise<any>
}

const ENTRY = join(import.meta.dirname, '../../src/node.ts')
/** A child that does not end when it is asked to. */
const PATIENCE_MS = 5000

/** Starts it and waits until it listens; rejects with what it said when it does not. */
export async function startIssuer(
  port: number,
  onStop: (end: () => Promise<void>) => void,
  onFailure: (message: string) => void,
): Promise<Issuer> {
  const folder = mkdtempSync(join(tmpdir(), 'claimgate-demo-'))
  const adminToken = randomBytes(32).toString('base64url')
  const child = spawn(process.execPath, [ENTRY], {
    cwd: folder,
    // Nothing of this machine's own configuration: the demo is the same everywhere.
    env: { PATH: process.env.PATH, PORT: String(port), CLAIMGATE_ADMIN_TOKEN: adminToken },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  let isEnding = false
  onStop(async () => {
    isEnding = true
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
    await exited
    clearTimeout(timer)
    rmSync(folder, { recursive: true, force: true })
  })

  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const url = await new Promise<string>((resolve, reject) => {
    let log = ''
    child.stdout.on('data', (chunk) => {
      // Read on for ever, or the child would stop writing; but only the first lines are of interest.
      if (log.length < 10_000) log += chunk
      const line = /^.*"msg":"listening".*\n/m.exec(log)?.[0]
      if (line !== undefined) resolve(JSON.parse(line).url)
    })
    void exited.then(() =>
      reject(new Error(`the issuer did not start${port === 0 ? '' : ` on port ${port}`}\n${said.trim()}`)),
    )
  })
  void exited.then(() => {
    if (!isEnding) onFailure('the issuer ended by itself')
  })
  return {
    url,
    async admin(path, body) {
      const response = await fetch(`${url}/admin${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      if (response.status !== 201) throw new Error(`the issuer answered ${response.status} to ${path}`)
      return response.json()
    },
  }
}
