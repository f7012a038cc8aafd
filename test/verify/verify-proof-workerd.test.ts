// The same proofs in a real workerd, which has its own Web Crypto: the same results as on Node.

import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProofVerifier } from '../../src/verify/dpop/verify-proof.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { hashText } from '../../src/verify/runtime/sha256.ts'
import { createMaker } from '../support/dpop-maker.ts'
import { proofCases } from './proof-cases.ts'

const ENTRY = `
import { createProofVerifier } from '../../src/verify/dpop/verify-proof.ts'
import { loadVerifier, loadWebVerifier } from '../../src/verify/runtime/load-key.ts'
import { hashText, hashWebText } from '../../src/verify/runtime/sha256.ts'
const verify = createProofVerifier({ loadVerifier, hashText })
export default {
  async fetch(request) {
    const isWeb = hashText === hashWebText && loadVerifier === loadWebVerifier
    if (!isWeb) return new Response('not the cryptography of Workers')
    const verdicts = []
    for (const { text, expected } of await request.json()) {
      for (let time = 0; time < 2; time += 1) verdicts.push(await verify(text, expected))
    }
    return Response.json(verdicts)
  },
}`

let miniflare: Miniflare

beforeAll(async () => {
  const bundle = await build({
    stdin: { contents: ENTRY, resolveDir: import.meta.dirname },
    bundle: true,
    format: 'esm',
    conditions: ['workerd', 'worker', 'browser'],
    write: false,
  })
  const script = bundle.outputFiles[0]?.text ?? ''
  const at = { compatibilityDate: '2026-10-01', host: '127.0.0.1', port: 0 }
  miniflare = new Miniflare(convertV4MiniflareOptions({ modules: true, script, ...at }))
})
afterAll(() => miniflare.dispose())

test('every proof of the table gets the same result, with a new and a cached key', async () => {
  const [es, ed, other] = await Promise.all([
    createMaker('ES256'),
    createMaker('EdDSA'),
    createMaker('ES256'),
  ])
  const cases = proofCases(es, ed, other)
  const verify = createProofVerifier({ loadVerifier, hashText })
  const here: unknown[] = []
  for (const { name, text, expected } of cases) {
    for (let time = 0; time < 2; time += 1) here.push([name, await verify(text, expected)])
  }
  const response = await fetch(await miniflare.ready, { method: 'POST', body: JSON.stringify(cases) })
  const there = (await response.json()) as readonly unknown[]
  expect(there).toHaveLength(2 * cases.length)
  expect(there.map((verdict, index) => [cases[index >> 1]?.name, verdict])).toEqual(here)
})
