// A real Postgres server for tests: a cluster in a temporary folder, on a free port of loopback.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import pg from 'pg'
import { findFreePort } from './ports.ts'

/** A running server. */
export interface PostgresServer {
  readonly port: number
  readonly child: ChildProcess
  /** Creates an empty database. Resolves to its URL. */
  createDatabase(): Promise<string>
  /** Stops the server immediately and removes its folder. */
  stop(): Promise<void>
}

/** Folder of Debian's programs, or empty when they are in the PATH. Undefined when Postgres is not installed. */
export const POSTGRES_BIN: string | undefined = findPrograms()

function findPrograms(): string | undefined {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : []
  const folders = [
    ...versions.map((version) => `/usr/lib/postgresql/${version}/bin`),
    ...(process.env.PATH ?? '').split(':'),
  ]
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

/** The server refuses to run as root; nobody has this id on every Debian. */
const NOBODY = { uid: 65534, gid: 65534 }

/** Starts a server. `settings`: more settings, such as `fsync=off`. `givenPort`: its port, by default a free one. */
export async function startPostgres(
  settings: readonly string[] = [],
  givenPort?: number,
): Promise<PostgresServer> {
  if (POSTGRES_BIN === undefined) throw new Error('Postgres is not installed; see npm run test:setup')
  const folder = mkdtempSync(join(tmpdir(), 'claimgate-postgres-'))
  const user: Partial<typeof NOBODY> = process.getuid?.() === 0 ? NOBODY : {}
  if (user === NOBODY) chownSync(folder, NOBODY.uid, NOBODY.gid)
  const data = join(folder, 'data')
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' }
  const options = { ...user, env, cwd: folder, stdio: 'ignore' } as const
  execFileSync(
    join(POSTGRES_BIN, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-N', '-E', 'UTF8'],
    options,
  )
  const port = givenPort ?? (await findFreePort())
  const all = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, ...settings]
  const child = spawn(
    join(POSTGRES_BIN, 'postgres'),
    ['-D', data, ...all.flatMap((one) => ['-c', one])],
    options,
  )
  const urlOf = (name: string): string => `postgres://postgres@127.0.0.1:${port}/${name}`
  await waitUntilReady(urlOf('postgres'), child)
  let created = 0
  return {
    port,
    child,
    async createDatabase() {
      created += 1
      const name = `test_${created}`
      await runOnce(urlOf('postgres'), `create database ${name}`)
      return urlOf(name)
    },
    async stop() {
      if (child.exitCode === null) {
        const exited = once(child, 'exit')
        // A stopped process handles a signal when it goes on.
        child.kill('SIGCONT')
        child.kill('SIGQUIT')
        await exited
      }
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function waitUntilReady(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) throw new Error(`postgres exited with ${child.exitCode}`)
    try {
      await runOnce(url, 'select 1')
      return
    } catch {
      await setTimeout(50)
    }
  }
  throw new Error('postgres does not answer')
}

/** Runs a statement on a connection of its own. Resolves to its rows. */
export async function runOnce(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}
