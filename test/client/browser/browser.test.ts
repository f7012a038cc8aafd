// claimgate/browser without a browser: its bundle is small and imports nothing, and on a server its functions throw.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundleClient } from '../../support/client-world.ts'

const MAX_BYTES = 6000

describe('the bundle', () => {
  let text = ''
  beforeAll(async () => {
    text = await bundleClient()
  })

  test('is under 6 kB, gzipped, when a page uses only autoInitializeDataClient', async () => {
    const { length } = gzipSync(await bundleClient('autoInitializeDataClient'), { level: 9 })
    expect(length).toBeGreaterThan(1000)
    expect(length).toBeLessThan(MAX_BYTES)
  })

  test('exports its two functions and its error, and imports nothing', () => {
    expect(text).not.toMatch(/\bimport\b|\brequire\(|hono|jose|zod|node:/)
    const names = /export\{(.*)\};?\s*$/
      .exec(text)?.[1]
      ?.split(',')
      .map((one) => one.split(' as ')[1])
    expect(names?.sort()).toEqual(['DataClientError', 'autoInitializeDataClient', 'createTokenSource'])
  })

  test('stores nothing in cookies, caches or web storage', () => {
    expect(text).not.toMatch(/localStorage|sessionStorage|cookie(?!s)|caches\b/)
  })
})

describe('on a server', () => {
  const entry = join(import.meta.dirname, '../../../src/client/browser/index.ts')
  // In a process of its own: a timer or channel that stays open would keep it running until the time limit fails the test.
  const run = (code: string) =>
    execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8', timeout: 30_000 })

  test('importing the module adds no global and sends no request', () => {
    expect(
      run(`
        const before = Object.getOwnPropertyNames(globalThis).join()
        globalThis.fetch = () => console.log('fetched')
        await import(${JSON.stringify(entry)})
        console.log(before === Object.getOwnPropertyNames(globalThis).join())`),
    ).toBe('true\n')
  })

  test('both functions throw an error that names claimgate/backend', () => {
    expect(
      run(`
        const { autoInitializeDataClient, createTokenSource } = await import(${JSON.stringify(entry)})
        const options = { clientTokenUri: 'https://www.example.com/client-token' }
        try { createTokenSource(options) } catch (error) { console.log(error.name, error.message) }
        await autoInitializeDataClient(options).catch((error) => console.log(error.name, error.message))`),
    ).toMatch(/^(Error .*browsers only; a server uses claimgate\/backend\n){2}$/)
  })
})
