// Runs the cases in Hono on Node, Hono in workerd, Express, Fastify, node:http and with createVerifier alone. All of them
// import the packed package, which is installed in an empty project.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from './ask.ts'
import { type Case, cases, fillTokens, SUBJECT, type TokenName } from './cases.ts'
import { describeCors } from './cors.ts'
import { describeExamples } from './examples.ts'
import { createIssuer, type Issuer } from './mint.ts'
import { createProject, type Project } from './project.ts'
import { describeReadmeRuns } from './readme-run.ts'
import { describeTypes } from './types.ts'
import { describeWorker } from './worker.ts'

/** The header that has the token of a case, if caches must be told about it. */
function carrierOf(name: string): string {
  if (name.startsWith('source: x-client-token') && !name.includes('not en')) return ', X-Client-Token'
  return name === 'source: a subprotocol' ? ', Sec-WebSocket-Protocol' : ''
}

const EXPOSED =
  'WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy, DPoP-Nonce, Claimgate-Would-Block, X-Request-Id'
const doors = ['hono', 'workerd', 'express', 'fastify', 'http', 'verifier'] as const
type Door = (typeof doors)[number]

/** Workers need a default export, which the house rules forbid in the app's own file. */
const ENTRY = `export { worker as default } from './doors/apps/worker.ts'`

let project: Project

beforeAll(() => {
  project = createProject()
  project.copy('doors/cases.ts', 'doors/setups.ts', 'doors/mint.ts')
  project.copy(...['options', 'hono', 'node', 'worker'].map((name) => `doors/apps/${name}.ts`))
})
afterAll(() => project?.remove())

for (const kind of ['jwks', 'secret'] as const) {
  describe(`keys from ${kind}`, () => {
    let issuer: Issuer
    let minted: Record<TokenName, string>
    let urls: Readonly<Record<Door, string>>
    let child: ChildProcess
    let miniflare: Miniflare

    beforeAll(async () => {
      issuer = await createIssuer(kind)
      minted = await issuer.mintAll()
      child = spawn(process.execPath, ['doors/apps/node.ts'], {
        cwd: project.folder,
        env: { ...process.env, NODE_ENV: 'test', KEYS: JSON.stringify(issuer.keys) },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      let errors = ''
      child.stderr?.on('data', (part) => {
        errors += part
      })
      const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
      const first = await Promise.race([once(lines, 'line'), once(child, 'exit')])
      if (typeof first[0] !== 'string') throw new Error(`the servers did not start:\n${errors}`)
      const { upstream, ...node } = JSON.parse(first[0])
      miniflare = await startWorker(issuer, upstream)
      urls = { ...node, workerd: (await miniflare.ready).origin }
    })
    afterAll(async () => {
      child?.kill()
      await miniflare?.dispose()
    })

    describe.each(doors)('%s', (door) => {
      const askCase = ({ setup, path, headers, method }: Case) =>
        ask(
          `${urls[door]}/${setup}/${fillTokens(path, minted)}`,
          {
            // The Workers platform sets this header to the client's address.
            ...(door === 'workerd' && { 'cf-connecting-ip': '127.0.0.1' }),
            ...Object.fromEntries(
              Object.entries(headers).map(([name, value]) => [
                name,
                typeof value === 'string'
                  ? fillTokens(value, minted)
                  : value.map((one) => fillTokens(one, minted)),
              ]),
            ),
          },
          method,
        )
      const rows = door === 'verifier' ? cases.filter((one) => !one.expected.isPreflight) : cases

      test.each(rows)('$name', async (one) => {
        const { code, status, challenge, allows, wouldBlock, isPreflight } =
          (door === 'workerd' && one.workerd) || one.expected
        const answer = await askCase(one)
        const body = answer.text === '' ? {} : JSON.parse(answer.text)
        expect({ status: answer.status, challenge: answer.header('www-authenticate') }).toEqual({
          status,
          challenge,
        })
        if (one.method !== 'HEAD' && !isPreflight) {
          expect(body).toMatchObject(code === undefined ? { sub: SUBJECT } : { error: code })
        } else expect(answer.text).toBe('')
        if (door === 'verifier') return
        expect(answer.header('claimgate-would-block')).toBe(wouldBlock)
        expect({
          vary: answer.header('vary'),
          allows: answer.header('access-control-allow-origin'),
          credentials: answer.header('access-control-allow-credentials'),
          exposes: answer.header('access-control-expose-headers'),
          methods: answer.header('access-control-allow-methods'),
          headers: answer.header('access-control-allow-headers'),
          maxAge: answer.header('access-control-max-age'),
        }).toEqual({
          vary: `Origin${isPreflight ? '' : carrierOf(one.name)}`,
          allows,
          credentials: undefined,
          exposes: allows !== undefined && !isPreflight ? EXPOSED : undefined,
          ...(isPreflight && allows !== undefined
            ? {
                methods: one.headers['access-control-request-method'],
                headers:
                  'Authorization, Content-Type, DPoP, X-Client-Token, traceparent, tracestate, baggage, sentry-trace',
                maxAge: '7200',
              }
            : { methods: undefined, headers: undefined, maxAge: undefined }),
        })
        if (code !== undefined) {
          expect(answer.header('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
          expect(answer.header('cache-control')).toBe('no-store')
          expect(answer.header('retry-after')).toBe(status === 503 ? '5' : undefined)
        }
        if (code !== undefined && one.method !== 'HEAD') {
          expect(answer.header('content-type')).toBe('application/problem+json')
          expect(body).toEqual({
            type: expect.stringMatching(new RegExp(`^https://.*#${code}$`)),
            title: expect.any(String),
            status,
            detail: expect.any(String),
            error: code,
            requestId: answer.header('x-request-id'),
          })
          for (const token of Object.values(minted)) expect(answer.text).not.toContain(token)
        }
      })
    })

    if (kind === 'jwks') describeCors(() => ({ urls, token: minted.good, elsewhere: minted.elsewhere }))
  })
}

describeTypes(() => project)
describeWorker(() => project)
describeExamples(() => project)
describeReadmeRuns(() => project)

/** Starts the Hono app in a real workerd, without Node's modules. */
async function startWorker(issuer: Issuer, upstream: string): Promise<Miniflare> {
  const bundle = await build({
    stdin: { contents: ENTRY, resolveDir: project.folder },
    bundle: true,
    format: 'esm',
    conditions: ['workerd', 'worker', 'browser'],
    write: false,
  })
  return new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: bundle.outputFiles[0]?.text ?? '',
      compatibilityDate: '2026-10-01',
      bindings: { KEYS: JSON.stringify(issuer.keys), UPSTREAM: upstream },
      host: '127.0.0.1',
      port: 0,
    }),
  )
}
