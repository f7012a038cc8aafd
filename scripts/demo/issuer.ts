// The issuer: the real server in a process of its own, with its files in a temporary folder that goes with it.

import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A running issuer, with its admin API. */
export interface Issuer {
  readonly url: string
  /** POSTs to the admin API. Rejects on any answer but 201; the shape of the answer is not checked. */
  admin<Created extends object>(path: string, body: object): Promise<Created>
}

const ENTRY = join(import.meta.dirname, '../../src/node.ts')
/** Milliseconds from SIGTERM to SIGKILL. */
const PATIENCE_MS = 5000

/** Starts the issuer and waits until it listens. Rejects with its stderr when it ends before that. */
export async function startIssuer(
  port: number,
  onStop: (end: () => Promise<void>) => void,
  onFailure: (message: string) => void,
): Promise<Issuer> {
  const folder = mkdtempSync(join(tmpdir(), 'claimgate-demo-'))
  const adminToken = randomBytes(32).toString('base64url')
  const child = spawn(process.execPath, [ENTRY], {
    cwd: folder,
    // No other variable of this machine: the demo is the same everywhere.
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
      // Reads all output, because a full pipe would block the child; only the first lines matter.
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
    async admin<Created>(path: string, body: object) {
      const response = await fetch(`${url}/admin${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      if (response.status !== 201) throw new Error(`the issuer answered ${response.status} to ${path}`)
      return (await response.json()) as Created
    },
  }
}
