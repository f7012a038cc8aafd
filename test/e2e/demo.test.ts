// The demo, as a user runs it: started by npm, opened in a real Chromium, each button pressed by keyboard or mouse,
// stopped by one Ctrl-C. Each card must show the real answer, and no process, port or file may remain.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { canConnect } from '../support/ports.ts'
import { CHROMIUM, launchChromium } from './chromium.ts'

const ROOT = join(import.meta.dirname, '../..')
const SCRIPT = join(ROOT, 'scripts/demo.ts')

interface Demo {
  readonly child: ChildProcess
  /** Everything that it has written so far, to stdout and stderr. */
  readonly said: () => string
  readonly exited: Promise<number | null>
  /** Resolves to the origins of its servers as soon as it has printed them; to an empty list if it ends before that. */
  readonly urls: Promise<readonly string[]>
}

let folder: string
let demos: Demo[]
beforeEach(() => {
  demos = []
  folder = mkdtempSync(join(tmpdir(), 'claimgate-test-'))
})
afterEach(async () => {
  for (const { child, exited } of demos) {
    if (isAlive(child)) process.kill(-(child.pid as number), 'SIGKILL')
    await exited
  }
  rmSync(folder, { recursive: true, force: true })
})

/** Starts the demo in its own process group, as a shell does. */
function startDemo(command: readonly [string, ...string[]], env: NodeJS.ProcessEnv = process.env): Demo {
  const [program, ...parameters] = command
  const child = spawn(program, parameters, {
    cwd: ROOT,
    env: { ...env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let said = ''
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const urls = new Promise<readonly string[]>((resolve) => {
    const listen = (chunk: Buffer): void => {
      said += chunk
      if (said.includes('\nopen http'))
        resolve([...said.matchAll(/ {2}(http:\S+)\n/g)].map(([, url]) => url ?? ''))
    }
    child.stderr.on('data', listen)
    child.stdout.on('data', listen)
    void exited.then(() => resolve([]))
  })
  const demo = { child, exited, urls, said: () => said }
  demos.push(demo)
  return demo
}

/** Whether any process of the group is running. */
function isAlive({ pid }: ChildProcess): boolean {
  try {
    return process.kill(-(pid as number), 0)
  } catch {
    return false
  }
}

/** The first of four consecutive free ports, below the range that systems use for port 0. */
async function findFreePorts(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 10_000)
    const taken = await Promise.all([0, 1, 2, 3].map((index) => canConnect(port + index)))
    if (!taken.includes(true)) return port
  }
  throw new Error('no four free ports')
}

/** Waits until the demo ends, and expects that no process, open port or file of it remains. */
async function expectNothingLeft({ child, exited, urls }: Demo): Promise<void> {
  await exited
  for (let turns = 0; isAlive(child) && turns < 50; turns++) await setTimeout(100)
  expect(isAlive(child)).toBe(false)
  for (const url of await urls) expect(await canConnect(Number(new URL(url).port))).toBe(false)
  // Other names are ignored: Node and npm may cache compiled code in this folder.
  expect(readdirSync(folder).filter((name) => name.startsWith('claimgate'))).toEqual([])
}

/** The expected steps and state of each card. */
const CARDS: readonly (readonly [id: string, name: string, state: string, steps: readonly string[]])[] = [
  ['origin', 'From this web site', 'Works', ['200']],
  ['address', 'From this address', 'Works', ['200']],
  ['key', 'With this browser’s key', 'Works', ['200', '200']],
  ['renewal', 'Again, when a token is refused', 'Works', ['200', '200']],
  ['site', 'Use it on another site', 'Attack fails', ['0 blocked', '401 origin_mismatch']],
  ['script', 'Use it without a browser', 'Mind the limit', ['200', '401 proof_required']],
  ['elsewhere', 'Use it from another address', 'Attack fails', ['401 ip_mismatch', '401 ip_mismatch']],
  ['replay', 'Repeat a whole request', 'Attack fails', ['200', '401 invalid_proof']],
  ['forge', 'Prove it with another key', 'Attack fails', ['401 invalid_proof']],
  ['late', 'Use it later', 'Attack fails', ['200', '401 token_expired']],
  ['revoked', 'Use it after the alarm', 'Attack fails', ['200', '401 token_revoked']],
  ['ask', 'Ask for a token himself', 'Attack fails', ['403 origin_not_allowed', '401 unauthorized']],
]

/** The state, steps and text of a card after its run. */
async function readCard(page: Page, id: string): Promise<{ state: string; steps: string[]; text: string }> {
  const card = page.locator(`#${id}`)
  await page.locator(`#${id}[data-outcome]`).waitFor({ timeout: 30_000 })
  const steps: string[] = []
  for (const step of await card.locator('.step').all()) {
    const [status, code] = [await step.getAttribute('data-status'), await step.getAttribute('data-code')]
    steps.push(`${status} ${code}`.trim())
  }
  return { state: await card.locator('.state').innerText(), steps, text: await card.innerText() }
}

describe.skipIf(CHROMIUM === undefined)('in Chromium (Debian package chromium)', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser?.close())

  /** Opens the page and waits for its token. `faults` collects errors of the page and violations of its CSP. */
  async function openPage(url: string, width = 1200): Promise<{ page: Page; faults: string[] }> {
    const page = await browser.newPage({ viewport: { width, height: 900 } })
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) faults.push(message.text())
    })
    await page.goto(url)
    await page.locator('body[data-ready]').waitFor()
    return { page, faults }
  }

  test('npm run demo: every card has the expected result; one Ctrl-C stops everything', async () => {
    const demo = startDemo(['npm', 'run', 'demo'])
    const [site = '', api, issuer, thief] = await demo.urls
    expect(new Set([site, api, issuer, thief]).size, demo.said()).toBe(4)
    const { page, faults } = await openPage(site)
    const claims = await page.locator('#claims').innerText()
    for (const text of [site, '127.0.0.1', 'jkt ', 'plants:read', 'acct_']) expect(claims).toContain(text)
    expect(await page.locator('#left').innerText()).toMatch(/^(60|5\d) s left$/)

    for (const [id, name, state, steps] of CARDS) {
      const button = page.getByRole('button', { name: `Run ${name}`, exact: true })
      // By keyboard: the demo must work without a mouse.
      await button.focus()
      await page.keyboard.press('Enter')
      if (id === 'late') await page.getByText(/^The token lives for another \d+ s\.$/).waitFor()
      expect(await readCard(page, id), id).toMatchObject({ state, steps })
    }
    expect(await page.locator('#summary').innerText()).toBe('12 of 12 tests have run, all as they should be.')

    // Each attack must be refused for its own reason; a mistake in the attack would give another reason.
    const reasonOf = (id: string) => page.locator(`#${id} .note`).last().innerText()
    expect([await reasonOf('replay'), await reasonOf('forge'), await reasonOf('script')]).toEqual([
      'The attacker is told the proof was used before',
      'The attacker is told the proof was made with another key than the one that the token is bound to',
      'The attacker is told the request has no DPoP proof',
    ])

    // What the thief's page could read, and what the API logged.
    const frame = page.frameLocator('#site iframe')
    expect(await frame.locator('#saw').innerText()).toBe(
      'in a header: TypeError: Failed to fetch\nin the query: TypeError: Failed to fetch',
    )
    const { entries } = await (await fetch(`${api}/decisions`)).json()
    const ofThief = entries.filter((entry: { origin: string }) => entry.origin === thief)
    expect(ofThief).toMatchObject([
      { method: 'OPTIONS', outcome: 'preflight', status: 204, isBrowser: true },
      { method: 'GET', outcome: 'deny', code: 'origin_mismatch', status: 401, isBrowser: true },
    ])
    await page.locator('#log .chip', { hasText: '401 token_expired' }).waitFor()
    expect(await page.content()).not.toContain('cgk_')
    expect(faults).toEqual([])
    await page.close()

    process.kill(-(demo.child.pid as number), 'SIGINT')
    await expectNothingLeft(demo)
    expect(demo.said()).not.toMatch(/cgk_|eyJ/)
  })

  test('without curl, on a narrow screen, with Run all; SIGTERM stops everything', async () => {
    const demo = startDemo([process.execPath, SCRIPT], { PATH: folder })
    const [site = ''] = await demo.urls
    const { page, faults } = await openPage(site, 360)
    await page.getByRole('button', { name: 'Run all' }).click()
    for (const [id, , state, steps] of CARDS) {
      const card = await readCard(page, id)
      expect(card, id).toMatchObject({ state, steps })
      expect(card.text).not.toContain('curl')
    }
    const width = () => page.evaluate('document.documentElement.scrollWidth')
    expect(await width()).toBe(360)
    expect(await page.locator('#summary').innerText()).toBe('12 of 12 tests have run, all as they should be.')
    expect(faults).toEqual([])
    await page.close()

    demo.child.kill('SIGTERM')
    expect(await demo.exited).toBe(0)
    await expectNothingLeft(demo)
  })

  test('a card shows when an answer is unexpected', async () => {
    const demo = startDemo([process.execPath, SCRIPT])
    const [site = '', api = ''] = await demo.urls
    const { page } = await openPage(site)
    // Changes the answers, so that the page sees every attack accepted.
    await page.route(`${site}/lab/attack`, async (route) => {
      const answer = await (await route.fetch()).json()
      await route.fulfill({ json: { ...answer, status: 200, code: null } })
    })
    await page.route(`${api}/plants*`, (route) => route.abort())
    await page.getByRole('button', { name: 'Run Use it from another address' }).click()
    const open = await readCard(page, 'elsewhere')
    expect(open).toMatchObject({ state: 'Unexpected', steps: ['200', '200'] })
    expect(open.text).toContain('That is not what should happen: 401 ip_mismatch was expected.')
    await page.getByRole('button', { name: 'Run From this web site' }).click()
    expect(await readCard(page, 'origin')).toMatchObject({ state: 'Unexpected', steps: [] })
    expect(await page.locator('#summary').innerText()).toBe('2 of 12 tests have run, 2 not as expected.')
    await page.close()
  })
})

test('--port names the first of four ports', async () => {
  const port = await findFreePorts()
  const demo = startDemo([process.execPath, SCRIPT, '--port', String(port)])
  const urls = await demo.urls
  // The issuer is printed third, but listens on the last port.
  expect(urls.map((url) => Number(new URL(url).port))).toEqual([port, port + 1, port + 3, port + 2])
  demo.child.kill('SIGINT')
  expect(await demo.exited).toBe(0)
  await expectNothingLeft(demo)
})

test.each([
  ['out of range', ['--port', '70000'], /--port: must be from 1 to 65532/],
  ['that are unknown', ['--colour'], /--colour/],
])('flags %s stop the demo with one line', async (_, flags, message) => {
  const demo = startDemo([process.execPath, SCRIPT, ...flags])
  expect(await demo.exited).toBe(1)
  expect(demo.said()).toMatch(message)
  expect(demo.said().trim().split('\n')).toHaveLength(1)
})

test.each([0, 3])('a port in use stops the demo: number %i of the four', async (index) => {
  const port = await findFreePorts()
  const other = createServer().listen(port + index, '127.0.0.1')
  await once(other, 'listening')
  const demo = startDemo([process.execPath, SCRIPT, '--port', String(port)])
  expect(await demo.exited).toBe(1)
  expect(demo.said()).toContain(` port ${port + index}`)
  await expectNothingLeft({ ...demo, urls: Promise.resolve([]) })
  other.close()
})

test('only visitors of the site can use its token endpoints and its lab', async () => {
  const demo = startDemo([process.execPath, SCRIPT])
  const [site = '', , , thief = ''] = await demo.urls
  const home = await fetch(site)
  const cookie = home.headers.get('set-cookie')?.split(';')[0] ?? ''
  expect(home.headers.get('content-security-policy')).toContain("default-src 'none'")
  const post = (path: string, headers: Record<string, string>) =>
    fetch(`${site}${path}`, { method: 'POST', headers, body: '{}' }).then(({ status }) => status)
  expect(await post('/lab/neighbour', { origin: site, cookie })).toBe(200)
  expect(await post('/lab/neighbour', { origin: thief, cookie })).toBe(403)
  expect(await post('/lab/neighbour', { origin: site })).toBe(403)
  expect(await post('/lab/constructor', { origin: site, cookie })).toBe(404)
  expect(await post('/api/plain-token', { origin: site, cookie })).toBe(200)
  expect(await post('/api/plain-token', { origin: thief, cookie })).toBe(403)
  expect(await post('/api/plain-token', { origin: site })).toBe(401)
  // The site redirects requests for another host name, which would be another origin.
  const other = await fetch(site.replace('localhost', '127.0.0.1'), { redirect: 'manual' })
  expect([other.status, other.headers.get('location')]).toEqual([307, `${site}/`])
})
