// The examples in the packed declarations: compiled and run as they stand, but for the address of the issuer.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ISSUER, SITE, SUBJECT } from './cases.ts'
import { createIssuer } from './mint.ts'
import type { Project } from './project.ts'
import { compile } from './types.ts'

interface Example {
  readonly door: string
  /** The declarations that hold it, and which of their examples it is. */
  readonly file: string
  readonly index: number
  readonly imports: string
  /** What it takes for granted. */
  readonly before: string
  /** Writes, as JSON, what came of it. */
  readonly after: string
  readonly output: unknown
}

const REQUEST = `const headers = { origin: '${SITE}', authorization: 'Bearer ' + process.env.TOKEN }
const request = new Request('https://api.example.com/things', { headers })
const socket = { remoteAddress: '127.0.0.1' }`
const TELL = (expression: string): string => `console.log(JSON.stringify(${expression}))`

const examples: readonly Example[] = [
  {
    door: 'claimgate/verify',
    file: 'verify/verifier.d.ts',
    index: 0,
    imports: `import { createVerifier } from 'claimgate/verify'`,
    before: REQUEST,
    after: TELL('[claims.sub, claims.origin]'),
    output: [SUBJECT, SITE],
  },
  {
    door: 'claimgate/hono: claimAuth',
    file: 'verify/hono.d.ts',
    index: 0,
    imports: `import { Hono } from 'hono'\nimport { claimAuth, type ClaimVariables } from 'claimgate/hono'`,
    before: REQUEST,
    after: `app.get('/api/me', (c) => c.text(c.var.claims.sub))
      const answer = await app.request('/api/me', { headers })
      ${TELL(`[answer.status, await answer.text(), answer.headers.get('access-control-allow-origin'), (await app.request('/api/me')).status]`)}
      void [request, socket]`,
    output: [200, SUBJECT, SITE, 401],
  },
  {
    door: 'claimgate/hono: claimCors',
    file: 'verify/hono.d.ts',
    index: 1,
    imports: `import { Hono } from 'hono'\nimport { claimCors } from 'claimgate/hono'`,
    before: '',
    after: `app.get('/public/a', (c) => c.text('a'))
      const answer = await app.request('/public/a', { headers: { origin: '${SITE}' } })
      ${TELL(`[answer.status, answer.headers.get('access-control-allow-origin')]`)}`,
    output: [200, SITE],
  },
  {
    door: 'claimgate/node',
    file: 'verify/node.d.ts',
    index: 0,
    imports: `import express from 'express'\nimport createFastify from 'fastify'
      import { claimAuth, type AuthorizedRequest } from 'claimgate/node'`,
    before: `${REQUEST}\nconst app = express()\nconst fastify = createFastify({ forceCloseConnections: true })`,
    after: `app.get('/api/me', (request, response) => void response.send((request as unknown as AuthorizedRequest).claims.sub))
      fastify.get('/api/me', async (request) => (request.raw as AuthorizedRequest).claims.sub)
      const server = app.listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      const urls = ['http://127.0.0.1:' + (server.address() as { port: number }).port, await fastify.listen({ port: 0, host: '127.0.0.1' })]
      const answers = []
      for (const url of urls) {
        const answer = await fetch(url + '/api/me', { headers })
        answers.push(answer.status, await answer.text(), (await fetch(url + '/api/me')).status)
      }
      ${TELL('answers')}
      server.closeAllConnections()
      server.close()
      await fastify.close()
      void [request, socket]`,
    output: [200, SUBJECT, 401, 200, SUBJECT, 401],
  },
  {
    door: 'claimgate/errors',
    file: 'claims/errors.d.ts',
    index: 0,
    imports: `import { createVerifier } from 'claimgate/verify'\nimport { ClaimError } from 'claimgate/errors'`,
    before: `const request = new Request('https://api.example.com/things')
      const verifier = createVerifier({ issuer: 'a', audience: 'a', secret: 'x'.repeat(32) })
      const handle = async (): Promise<Response | undefined> => {`,
    after: `return undefined }
      const answer = await handle()
      ${TELL('[answer?.status, await answer?.text()]')}`,
    output: [401, expect.stringMatching(/token/)],
  },
  {
    door: 'claimgate: createApp',
    file: 'app.d.ts',
    index: 0,
    imports: `import { type AppDeps, createApp, parseConfig } from 'claimgate'`,
    before: `const { startMemory } = await import(process.env.MEMORY ?? '')
      const adapters: Omit<AppDeps, 'config'> = (await startMemory()).deps`,
    after: TELL('[answer.status, await answer.json()]'),
    output: [200, { status: 'ok' }],
  },
]

/** The examples of a file of declarations, without their comment's margin. */
function readExamples(text: string): readonly string[] {
  return [...text.matchAll(/@example\n((?:\s*\* ?.*\n)*?)\s*(?:\*\/|\* @)/g)].map((match) =>
    (match[1] ?? '').replace(/^\s*\* ?/gm, '').replace(/\*\/\s*$/, ''),
  )
}

export function describeExamples(project: () => Project): void {
  describe('the examples of the doors', () => {
    const declarations = (file: string) =>
      readFileSync(join(project().folder, 'node_modules/claimgate/dist', file), 'utf8')
    let server: Server
    let issuer: string
    let token: string

    beforeAll(async () => {
      let keys: unknown
      server = createServer((_, response) => response.end(JSON.stringify(keys)))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const own = await createIssuer('jwks', { iss: issuer, aud: issuer })
      keys = 'jwks' in own.keys && own.keys.jwks
      token = await own.mint()
    })
    afterAll(() => server?.close())

    test.each(examples)('$door', async ({ door, file, index, imports, before, after, output }) => {
      const example = readExamples(declarations(file))[index]
      if (example === undefined) throw new Error(`${file} holds no example ${index}`)
      const name = `examples/${door.replace(/\W+/g, '-')}.ts`
      const text = [imports, before, example.replaceAll(ISSUER, issuer), after].join('\n')
      compile(project(), [project().write(name, text)])
      const { stdout } = await promisify(execFile)(process.execPath, [name], {
        cwd: project().folder,
        env: {
          ...process.env,
          TOKEN: token,
          MEMORY: new URL('../support/memory.ts', import.meta.url).href,
        },
        timeout: 30_000,
      })
      expect(JSON.parse(stdout)).toEqual(output)
    })

    test('every example is run', () => {
      for (const file of new Set(examples.map((one) => one.file))) {
        const run = examples.filter((one) => one.file === file)
        expect(run, file).toHaveLength(declarations(file).split('@example').length - 1)
      }
    })
  })
}
