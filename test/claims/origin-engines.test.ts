// The same bundle in Node and in a real workerd gives the same answers about every origin.

import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import fc from 'fast-check'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import idna from '../vectors/origin/idna-test-v2.json' with { type: 'json' }
import toAscii from '../vectors/origin/toascii.json' with { type: 'json' }
import urlTestData from '../vectors/origin/urltestdata.json' with { type: 'json' }

/** The answer for one text: as an origin, as an allowed origin, and the patterns that it matches. */
type Answer = readonly [origin: string, pattern: string, matching: readonly string[]]

interface Engine {
  name(): string | Promise<string>
  /** One answer for each text. */
  answer(texts: readonly string[]): Answer[] | Promise<Answer[]>
  /** A digest of all answers about the hosts `<c>` and `a<c>b`, `c` from `first` to `first + count`. */
  digest(first: number, count: number): number | Promise<number>
}

const SOURCE = `
import { parseOrigin } from './origin.ts'
import { parseOriginPattern, patternsMatching } from './origin-pattern.ts'
const show = (result) => result.ok ? JSON.stringify(result.value) : 'refused: ' + result.reason
const isPublicSuffix = (host) => ['co.uk', 'github.io', 'xn--55qx5d.cn'].includes(host)
export function answer(texts) {
  return texts.map((text) => [show(parseOrigin(text)), show(parseOriginPattern(text, isPublicSuffix)), patternsMatching(text)])
}
export function digest(first, count) {
  let hash = 0
  for (let code = first; code < first + count; code += 1) {
    const character = String.fromCodePoint(code)
    for (const host of [character, 'a' + character + 'b']) {
      for (const unit of show(parseOrigin('https://' + host))) hash = (Math.imul(hash, 31) + unit.charCodeAt(0)) | 0
    }
  }
  return hash
}
export function name() {
  return navigator.userAgent
}
export default {
  async fetch(request) {
    const [question, ...values] = await request.json()
    return Response.json({ name, answer, digest }[question](...values))
  },
}`

let miniflare: Miniflare
let engines: { readonly node: Engine; readonly workerd: Engine }

beforeAll(async () => {
  const resolveDir = fileURLToPath(new URL('../../src/claims', import.meta.url))
  const bundle = await build({
    stdin: { contents: SOURCE, resolveDir },
    bundle: true,
    format: 'esm',
    write: false,
  })
  const script = bundle.outputFiles[0]?.text ?? ''
  const node: Engine = await import(`data:text/javascript,${encodeURIComponent(script)}`)
  miniflare = new Miniflare(
    convertV4MiniflareOptions({ modules: true, script, compatibilityDate: '2026-10-01' }),
  )
  const call = async (...message: unknown[]) => {
    const response = await miniflare.dispatchFetch('http://worker/', {
      method: 'POST',
      body: JSON.stringify(message),
    })
    return response.json()
  }
  const workerd: Engine = {
    name: async () => (await call('name')) as string,
    answer: async (texts) => (await call('answer', texts)) as Answer[],
    digest: async (first, count) => (await call('digest', first, count)) as number,
  }
  engines = { node, workerd }
})
afterAll(() => miniflare?.dispose())

/** Fails with the first texts on which the engines differ; returns the common answers. */
async function compare(texts: readonly string[]): Promise<readonly Answer[]> {
  const [node, workerd] = await Promise.all([engines.node.answer(texts), engines.workerd.answer(texts)])
  expect(workerd).toHaveLength(texts.length)
  const differing = texts.flatMap((text, index) => {
    const answers = { text, node: node[index], workerd: workerd[index] }
    return JSON.stringify(answers.node) === JSON.stringify(answers.workerd) ? [] : [answers]
  })
  expect(differing.slice(0, 10)).toEqual([])
  return node
}

/** How many texts are a web origin, how many of these have an xn-- label, and how many are refused. */
function count(answers: readonly Answer[]): { accepted: number; international: number; refused: number } {
  const accepted = answers.filter(([origin]) => origin.includes('"web"'))
  return {
    accepted: accepted.length,
    international: accepted.filter(([origin]) => /[/.]xn--/.test(origin)).length,
    refused: answers.filter(([origin]) => origin.startsWith('refused: ')).length,
  }
}

const WILDCARDS = ['https://*.', 'http://*.a.', 'https://*.xn--'] as const

const special = fc.constantFrom(
  ...'\u200c\u200d\ufe0f\u00ad\u0301\u0323\u00f4\u094d\u0660\u06f1\u05d0\u0627\u064a\u06cc\u00df\u1e9e\u03c2\u04c0\u2126',
  ...'\u3002\uff0e\uff0a\uff41\u00b7\u2488\u2260\u226e\ufffd\ufeff\u0085\u00a0\u1fef\u037e\u212a\ud800\udc00\uac00\u1100\u1161',
  ...[
    '\u{1f468}\u200d\u{1f469}',
    '\u{1f3f4}\u{e0067}',
    '\u{10a0f}',
    '\u{1e903}',
    '\u{323b0}',
    '\u{1d7d8}',
    '\u{2f868}',
  ],
  ...[...'-_.*%@\\:[]0189azAZ', 'xn--', 'XN--', '%c3%9f', '%2e', '1.2', '0x7f'],
)
const unicode = fc.oneof(special, fc.string({ unit: 'binary', maxLength: 2 }), fc.string({ maxLength: 3 }))
const letters = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 4 }),
  special,
  fc.constantFrom('a', 'bc', '1'),
)
const encoded = fc.stringMatching(/^[a-z0-9-]{0,14}$/).map((text) => `xn--${text}`)
const known = fc.constantFrom(...idna.map(({ input }) => input))
const label = fc.oneof(
  fc.array(letters, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
  fc.array(unicode, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
  encoded,
  known,
  fc.constantFrom('example', 'com', 'xn--bcher-kva', 'xn--4db', 'localhost', '127'),
)
const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'))
const text = fc
  .tuple(
    fc.constantFrom('https://', 'https://', 'http://', 'HTTPS://', 'https://*.', 'app://'),
    host,
    fc.constantFrom('', '', '', '.', ':*', ':80', ':443', ':8443', '/', '/\u00e9?#'),
  )
  .map((parts) => parts.join(''))

describe('Node and workerd', () => {
  test('are the engines that run the code: each reports its own name', async () => {
    expect(await engines.node.name()).toMatch(/^Node/)
    expect(await engines.workerd.name()).toBe('Cloudflare-Workers')
  })

  test('agree on the public vectors', async () => {
    const hosts = [...toAscii, ...idna].map(({ input }) => input)
    const texts = urlTestData.map(({ input }) => input)
    texts.push(
      ...hosts.map((name) => `https://${name}`),
      ...hosts.map((name) => `http://a.${name}.example:81/`),
    )
    texts.push(...WILDCARDS.flatMap((wildcard) => hosts.map((name) => wildcard + name)))
    const counts = count(await compare(texts))
    expect(counts.international).toBeGreaterThan(800)
    expect(counts.refused).toBeGreaterThan(2000)
  })

  test('agree on generated texts', async () => {
    const counts = count(await compare(fc.sample(text, { numRuns: 6000, seed: 20_261_001 })))
    expect(counts.accepted).toBeGreaterThan(800)
    expect(counts.international).toBeGreaterThan(400)
    expect(counts.refused).toBeGreaterThan(1500)
  })

  test('accept each other’s canonical texts unchanged', async () => {
    const answers = await compare(fc.sample(host, { numRuns: 3000, seed: 7 }).map((name) => `http://${name}`))
    const web = answers.filter(([origin]) => origin.includes('"web"'))
    const accepted = web.map(([origin]) => (JSON.parse(origin) as { origin: string }).origin)
    expect(accepted.length).toBeGreaterThan(500)
    const again = await compare(accepted)
    expect(again.map(([, , matching]) => matching[0])).toEqual(accepted)
  })

  // Planes 0 to 3 and the tags. The other planes have no assigned characters except private use.
  const blocks = [...Array.from({ length: 16 }, (_, index) => index * 0x4000), 0xe0000]
  test.each(blocks)('agree on each character from %i', async (first) => {
    const digests = await Promise.all([
      engines.node.digest(first, 0x4000),
      engines.workerd.digest(first, 0x4000),
    ])
    expect(digests[1]).toBe(digests[0])
  })

  test('have different digests when answers differ', () => {
    const digests = [0x41, 0x61, 0xdf, 0xe9, 0x20].map((code) => engines.node.digest(code, 1))
    expect(new Set(digests).size).toBe(4) // A and a give the same origin
  })
})
