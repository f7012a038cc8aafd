// The examples in the docstrings of the package's exports, read from the packed declarations. Each one is compiled in a
// customer's project. The examples that `runs` names are also run, unchanged except for the URL of the issuer.

import { execFile } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ISSUER, SITE, SUBJECT } from './cases.ts'
import { createIssuer } from './mint.ts'
import type { Project } from './project.ts'
import { type PublicName, readPublicNames } from './public-examples.ts'
import { compile } from './types.ts'

/** How an example is run, and what it must print. */
interface Run {
  /** Code before the example that declares the variables that the example uses. */
  readonly before: string
  /** Code after the example that prints the outcome as JSON. */
  readonly after: string
  /** The expected value of that JSON. */
  readonly output: unknown
}

const REQUEST = `const headers = { origin: '${SITE}', authorization: 'Bearer ' + process.env.TOKEN }
const request = new Request('https://api.example.com/things', { headers })
const socket = { remoteAddress: '127.0.0.1' }`
const print = (expression: string): string => `console.log(JSON.stringify(${expression}))`

const runs: Readonly<Record<string, Run>> = {
  'claimgate/verify#createVerifier': {
    before: REQUEST,
    after: print('[claims.sub, claims.origin]'),
    output: [SUBJECT, SITE],
  },
  'claimgate/hono#claimAuth': {
    before: REQUEST,
    after: `app.get('/api/me', (c) => c.text(c.var.claims.sub))
      const answer = await app.request('/api/me', { headers })
      ${print(`[answer.status, await answer.text(), answer.headers.get('access-control-allow-origin'), (await app.request('/api/me')).status]`)}`,
    output: [200, SUBJECT, SITE, 401],
  },
  'claimgate/hono#claimCors': {
    before: '',
    after: `app.get('/public/a', (c) => c.text('a'))
      const answer = await app.request('/public/a', { headers: { origin: '${SITE}' } })
      ${print(`[answer.status, answer.headers.get('access-control-allow-origin')]`)}`,
    output: [200, SITE],
  },
  'claimgate/node#claimAuth': {
    before: `${REQUEST}
      const app = express()
      const fastify = createFastify({ forceCloseConnections: true })`,
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
      ${print('answers')}
      server.closeAllConnections()
      server.close()
      await fastify.close()`,
    output: [200, SUBJECT, 401, 200, SUBJECT, 401],
  },
  'claimgate/verify#ClaimError': {
    before: `const request = new Request('https://api.example.com/things')
      const verifier = createVerifier({ issuer: 'a', audience: 'a', secret: 'x'.repeat(32) })
      const handle = async (): Promise<Response | undefined> => {`,
    after: `return undefined }
      const answer = await handle()
      ${print('[answer?.status, await answer?.text()]')}`,
    output: [401, expect.stringMatching(/token/)],
  },
  'claimgate#openMemoryDeps': {
    before: '',
    after: print('(keys as { keys: { alg: string }[] }).keys.map(({ alg }) => alg)'),
    output: ['ES256', 'ES256'],
  },
  'claimgate#createApp': {
    before: '',
    after: print('[answer.status, await answer.json()]'),
    output: [200, { status: 'ok' }],
  },
}

/** Declarations for names that examples use but need not declare, such as the reader's own session check. */
const surroundings: Readonly<Record<string, string>> = {
  Hono: `import { Hono } from 'hono'`,
  express: `import express from 'express'`,
  createFastify: `import createFastify from 'fastify'`,
  createServer: `import { createServer } from 'node:http'`,
  serve: `import { serve } from '@hono/node-server'`,
  request: 'declare const request: Request',
  socket: 'declare const socket: { readonly remoteAddress?: string }',
  accountToken: 'declare const accountToken: string',
  forbid: 'declare const forbid: () => Response',
  isSignedIn: 'declare const isSignedIn: (cookie: string | null | undefined) => boolean',
  origin: 'declare const origin: string',
  fastify: `declare const fastify: import('fastify').FastifyInstance`,
}

/** The declaration of `app` for an example that uses it without creating it: an Express app or a Hono app. */
const appOf = (door: string, code: string): string =>
  door === 'claimgate/node' || code.includes('fastify')
    ? `declare const app: import('express').Express`
    : `declare const app: import('hono').Hono`

/** By package export: declarations of the client that examples of errors and methods use without creating it. */
const clients: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'claimgate/verify': { verifier: `declare const verifier: import('claimgate/verify').Verifier` },
  'claimgate/backend': { client: `declare const client: import('claimgate/backend').ClaimClient` },
  'claimgate/browser': { client: `declare const client: import('claimgate/browser').DataClient` },
}

interface Example extends PublicName {
  readonly title: string
  readonly code: string
}

/** The examples of the packed package. A declaration that several package exports have is listed once. */
function listExamples(names: readonly PublicName[]): readonly Example[] {
  const seen = new Set<string>()
  return names.flatMap((one) => {
    if (seen.has(one.declaration)) return []
    seen.add(one.declaration)
    return one.examples.map((code, index) => {
      const title = `${one.door}#${one.name}${index === 0 ? '' : ` ${index + 1}`}`
      return { ...one, title, code }
    })
  })
}

/** Whether code uses a name as a variable or type, and does not declare it. */
function usesFreely(code: string, name: string): boolean {
  const isUsed = new RegExp(`(?<![.\\w'"/-])${name}(?![\\w'":/-])`).test(code)
  return isUsed && !new RegExp(`(?:const|let|function|class|import)[\\s{]+${name}\\b`).test(code)
}

/** The example as a module: imports of the names that it uses, and the code in a function, because some examples return. */
function toModule({ door, title, code }: Example, names: readonly PublicName[]): string {
  const run = runs[title]
  const body = [run?.before ?? '', code, run?.after ?? ''].join('\n')
  const own = names.filter((one) => one.door === door)
  const others = names.filter(({ name }) => !own.some((one) => one.name === name))
  const imports = [
    ...own,
    ...others.filter(({ name }, at) => others.findIndex((one) => one.name === name) === at),
  ]
    .filter(({ name }) => usesFreely(body, name))
    .map((one) => `import ${one.isType ? 'type ' : ''}{ ${one.name} } from '${one.door}'`)
  const given = { app: appOf(door, code), ...surroundings, ...clients[door] }
  const declared = Object.entries(given).flatMap(([name, line]) => (usesFreely(body, name) ? [line] : []))
  const top = [
    ...imports,
    ...declared.toSorted((a, b) => Number(b.startsWith('import')) - Number(a.startsWith('import'))),
  ]
  return `${top.join('\n')}\nasync function example() {\n${body}\n}\n${run ? 'await example()' : 'export { example }'}\n`
}

const fileOf = ({ title }: Example): string => `examples/${title.replace(/\W+/g, '-')}.ts`

export function describeExamples(project: () => Project): void {
  describe('the examples in docstrings', () => {
    let names: readonly PublicName[]
    let examples: readonly Example[]
    let server: Server
    let token: string

    beforeAll(async () => {
      let keys: unknown
      server = createServer((_, response) => response.end(JSON.stringify(keys)))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const own = await createIssuer('jwks', { iss: issuer, aud: issuer })
      keys = 'jwks' in own.keys && own.keys.jwks
      token = await own.mint()
      names = readPublicNames(join(project().folder, 'node_modules/claimgate'))
      examples = listExamples(names)
      for (const example of examples) {
        project().write(fileOf(example), toModule(example, names).replaceAll(ISSUER, issuer))
      }
    })
    afterAll(() => server?.close())

    test('compile', () => {
      expect(compile(project(), examples.map(fileOf))).toBe('')
    })

    test('exist for every function and class, except those of the service itself', () => {
      const without = names.filter(
        ({ door, isCallable, examples: own }) => door !== 'claimgate' && isCallable && own.length === 0,
      )
      expect(without.map(({ door, name }) => `${door}#${name}`)).toEqual([])
    })

    test.each(Object.entries(runs))('print the expected result: %s', async (title, { output }) => {
      const example = examples.find((one) => one.title === title)
      if (example === undefined) throw new Error(`${title} has no example`)
      const { stdout } = await promisify(execFile)(process.execPath, [fileOf(example)], {
        cwd: project().folder,
        env: { ...process.env, TOKEN: token },
        timeout: 30_000,
      })
      expect(JSON.parse(stdout)).toEqual(output)
    })
  })
}
