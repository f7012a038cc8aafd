// The package export "claimgate/worker" in a customer's own Worker project: bundled by wrangler, run in workerd with D1.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../support/packed.ts'
import type { Project } from './project.ts'

const WRANGLER = join(import.meta.dirname, '../../node_modules/wrangler/bin/wrangler.js')
const ISSUER = 'https://auth.example.com'
const ADMIN = 'an-admin-token-of-at-least-thirty-two-characters'
const ORIGIN = 'https://shop.example.org'

export function describeWorker(project: () => Project): void {
  describe('claimgate/worker in a project of its own', () => {
    let miniflare: Miniflare
    const send = (path: string, init: RequestInit = {}) =>
      miniflare.dispatchFetch(ISSUER + path, {
        ...init,
        headers: { 'content-type': 'application/json', ...init.headers } as Record<string, string>,
      } as never)

    beforeAll(async () => {
      project().write('worker/main.ts', "export { default } from 'claimgate/worker'\n")
      // The bindings of this repository's file, with the package in place of the source.
      const toml = readFileSync(join(import.meta.dirname, '../../wrangler.toml'), 'utf8')
      project().write('worker/wrangler.toml', toml.replace('"src/worker.ts"', '"main.ts"'))
      const folder = join(project().folder, 'worker')
      run(process.execPath, [WRANGLER, 'deploy', '--dry-run', '--outdir', 'out'], folder)
      miniflare = new Miniflare(
        convertV4MiniflareOptions({
          modules: true,
          script: readFileSync(join(folder, 'out/main.js'), 'utf8'),
          compatibilityDate: '2026-10-01',
          compatibilityFlags: ['nodejs_compat'],
          d1Databases: ['DB'],
          bindings: {
            CLAIMGATE_ISSUER: ISSUER,
            CLAIMGATE_MASTER_KEY: Buffer.alloc(32, 7).toString('base64url'),
            CLAIMGATE_ADMIN_TOKEN: ADMIN,
          },
        }),
      )
    })
    afterAll(() => miniflare?.dispose())

    test('issues tokens', async () => {
      const created = await send('/admin/accounts', {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN}` },
        body: JSON.stringify({ name: 'a', allowedOrigins: [ORIGIN] }),
      })
      const { credential } = (await created.json()) as { credential: { token: string } }
      const claimed = await send('/auth/claim', {
        method: 'POST',
        headers: { authorization: `Bearer ${credential.token}` },
        body: JSON.stringify({ origin: ORIGIN }),
      })
      expect(claimed.status).toBe(200)
      expect(await claimed.json()).toMatchObject({ tokenType: 'Bearer', origin: ORIGIN })
    })

    test('serves the browser client at /sdk.js', async () => {
      const answer = await send('/sdk.js')
      const etag = answer.headers.get('etag') ?? ''
      expect([answer.status, answer.headers.get('content-type')]).toEqual([
        200,
        'text/javascript; charset=utf-8',
      ])
      expect(await answer.text()).toContain('autoInitializeDataClient')
      expect((await send('/sdk.js', { headers: { 'if-none-match': etag } })).status).toBe(304)
    })
  })
}
