// A server whose output is not read, closed or full: it goes on, counts the lines that it lost, and says so.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { findFreePort } from '../support/ports.ts'
import { ADMIN_TOKEN, NODE_ENTRY, serverEnvironment } from '../support/server.ts'

const children: ChildProcess[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** Starts a server that logs each request. `stdio`: as `spawn` takes it, for stdout and stderr. Resolves when it answers. */
async function start(stdout: 'pipe' | number, stderr: 'pipe' | 'ignore' = 'ignore') {
  const port = await findFreePort()
  const dir = mkdtempSync(join(tmpdir(), 'claimgate-output-'))
  const child = spawn(process.execPath, [NODE_ENTRY], {
    cwd: dir,
    env: serverEnvironment(dir, { PORT: String(port), CLAIMGATE_LOG: 'debug' }),
    stdio: ['ignore', stdout, stderr],
  })
  children.push(child)
  const url = `http://127.0.0.1:${port}`
  while (!(await isUp(url))) {
    expect(child.exitCode).toBe(null)
    await setTimeout(50)
  }
  return { child, url }
}

function isUp(url: string): Promise<boolean> {
  return fetch(`${url}/healthz`).then(
    ({ status }) => status === 200,
    () => false,
  )
}

/** Sends requests that the server logs, and expects an answer to each. */
async function ask(url: string, count: number): Promise<void> {
  for (let at = 0; at < count; at += 50) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const answer = await fetch(`${url}/admin/accounts`)
        await answer.arrayBuffer()
        return answer.status
      }),
    )
    expect(new Set(answers)).toEqual(new Set([401]))
  }
}

/** The number of lost lines that `/metrics` shows. */
async function countLost(url: string): Promise<number> {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })
  return Number(/^claimgate_log_lines_lost_total (\d+)$/m.exec(await answer.text())?.[1])
}

async function stop(child: ChildProcess): Promise<number | null> {
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  const [code] = await exited
  return code
}

describe.concurrent('a server goes on', () => {
  test('when nobody reads stdout: more than a mebibyte is dropped, counted, and named when somebody reads again', async () => {
    const { child, url } = await start('pipe')
    expect(await countLost(url)).toBe(0)
    // About 200 characters a line, and the system takes some 64 KiB itself.
    while ((await countLost(url)) === 0) await ask(url, 500)
    await ask(url, 100)
    const lost = await countLost(url)
    expect(lost).toBeGreaterThan(50)
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (part) => {
      text += part
    })
    while (!text.includes('"msg":"lines of this log were lost')) {
      await ask(url, 50)
      await setTimeout(20)
    }
    expect(await stop(child)).toBe(0)
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const report = lines.find(({ msg }) => msg.startsWith('lines of this log were lost'))
    expect(report.level).toBe('warn')
    expect(report.count).toBeGreaterThanOrEqual(lost)
    expect(lines.at(-1)).toMatchObject({ msg: 'stopped' })
    expect(text.length).toBeGreaterThan(1_000_000)
    expect(text.length).toBeLessThan(2_000_000)
  })

  test('when the readers of stdout and stderr have ended', async () => {
    const { child, url } = await start('pipe', 'pipe')
    child.stdout?.destroy()
    child.stderr?.destroy()
    await ask(url, 200)
    expect(await countLost(url)).toBeGreaterThan(100)
    expect(await stop(child)).toBe(0)
  })

  test('when the disk of stdout is full', async () => {
    const full = openSync('/dev/full', 'w')
    const { child, url } = await start(full)
    closeSync(full)
    await ask(url, 200)
    expect(await countLost(url)).toBeGreaterThan(200)
    expect(await stop(child)).toBe(0)
  })

  test('when stdout is a file: all lines are in it after the end', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'claimgate-output-')), 'log')
    const file = openSync(path, 'w')
    const { child, url } = await start(file)
    closeSync(file)
    await ask(url, 100)
    expect(await countLost(url)).toBe(0)
    expect(await stop(child)).toBe(0)
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    expect(lines.filter((line) => line.includes('"status":401'))).toHaveLength(100)
    expect(JSON.parse(lines.at(-1) as string).msg).toBe('stopped')
  })
})
