// Servers on Node: Hono, Express, Fastify, node:http, and one that uses createVerifier without a middleware. Reads the keys
// from the environment variable KEYS, and prints the URLs of all servers as one line of JSON.

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import {
  type AuthorizedRequest,
  claimAuth,
  type NodeMiddleware,
} from '../../../src/verify/middleware/node.ts'
import { ClaimError, createVerifier } from '../../../src/verify/verifier.ts'
import type { KeyOption } from '../mint.ts'
import { createHonoApp } from './hono.ts'
import { createGuards, forEachSetup, verifierOptions } from './options.ts'

const keys: KeyOption = JSON.parse(process.env.KEYS ?? '')
const guards = createGuards(keys, claimAuth)

/** Splits a path into the name of its setup and the route after it. */
function split(url = '/'): readonly [setup: string, route: string] {
  const [, setup = '', route = ''] = url.split(/[/?]/)
  return [setup, route]
}

const claimsOf = (request: IncomingMessage) => (request as AuthorizedRequest).claims

const upstream = createServer((_, response) => response.writeHead(200, { 'x-upstream': 'yes' }).end('far'))

type Route = (request: IncomingMessage, response: ServerResponse) => void

/** Handlers that write to Node's response, for node:http and Express. */
const rawRoutes: Readonly<Record<string, Route>> = {
  ok: (request, response) => response.end(JSON.stringify({ sub: claimsOf(request).sub })),
  vary: (_, response) => response.setHeader('vary', 'Accept-Encoding').end(),
  'vary-list': (_, response) => response.setHeader('vary', ['Accept', 'Accept-Encoding']).end(),
  'vary-origin': (_, response) => response.setHeader('vary', 'Accept, origin').end(),
  'vary-all': (_, response) => response.setHeader('vary', '*').end(),
  'own-cors': (_, response) => response.setHeader('access-control-allow-origin', '*').end(),
  cookies: (_, response) => response.setHeader('set-cookie', ['a=1', 'b=2']).end(),
  'head-vary': (_, response) => response.writeHead(200, { Vary: 'Accept' }).end(),
  'head-message': (_, response) => response.writeHead(200, 'Fine', { Vary: 'Accept, Accept-Encoding' }).end(),
  'head-list': (_, response) =>
    response.writeHead(200, ['Vary', 'Accept', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2']).end(),
  'head-none': (_, response) => response.writeHead(200).end(),
  flush: (_, response) => {
    response.setHeader('vary', 'Accept')
    response.flushHeaders()
    response.end('flushed')
  },
  stream: (_, response) => void Readable.from(['one,', 'two']).pipe(response),
}

const bare: RequestListener = (request, response) => {
  const [setup, route] = split(request.url)
  guards[setup]?.(request, response, () => {
    const handle = rawRoutes[route]
    if (handle !== undefined) handle(request, response)
    else response.writeHead(404).end()
  })
}

function createExpress(): RequestListener {
  const app = express()
  for (const [name, guard] of Object.entries(guards)) app.use(`/${name}`, guard)
  app.get('/:setup/throws', () => {
    throw new Error('boom')
  })
  app.get('/:setup/rejects', async () => {
    throw new Error('boom')
  })
  app.get('/:setup/vary', (_, response) => void response.vary('Accept-Encoding').send(''))
  app.get('/:setup/vary-list', (_, response) => void response.vary('Accept').vary('Accept-Encoding').send(''))
  app.get('/:setup/send', (_, response) => void response.set('vary', 'Accept').json({}))
  for (const [name, handle] of Object.entries(rawRoutes)) app.all(`/:setup/${name}`, handle)
  return app
}

async function createFastify(): Promise<number> {
  const app = fastify({ forceCloseConnections: true })
  const auth: NodeMiddleware = (request, response, next) =>
    guards[split(request.url)[0]]?.(request, response, next)
  app.addHook('onRequest', (request, reply, next) => auth(request.raw, reply.raw, next))
  app.all('/:setup/ok', async (request) => ({ sub: claimsOf(request.raw).sub }))
  app.get('/:setup/throws', () => {
    throw new Error('boom')
  })
  app.get('/:setup/rejects', async () => {
    throw new Error('boom')
  })
  app.get('/:setup/vary', (_, reply) => reply.header('vary', 'Accept-Encoding').send(''))
  app.get('/:setup/vary-list', (_, reply) => reply.header('Vary', ['Accept', 'Accept-Encoding']).send(''))
  app.get('/:setup/vary-origin', (_, reply) => reply.header('vary', 'Accept, origin').send(''))
  app.get('/:setup/vary-all', (_, reply) => reply.header('vary', '*').send(''))
  app.get('/:setup/own-cors', (_, reply) => reply.header('access-control-allow-origin', '*').send(''))
  app.get('/:setup/cookies', (_, reply) =>
    reply.header('set-cookie', 'a=1').header('set-cookie', 'b=2').send(''),
  )
  app.get('/:setup/stream', (_, reply) => reply.send(Readable.from(['one,', 'two'])))
  app.get('/:setup/immutable', () => fetch(address(upstream)))
  app.get('/:setup/hijack', (_, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { vary: 'Accept' }).end()
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

/** Uses createVerifier without a middleware, and writes the refusals itself, as an API with another framework does. */
function createVerifierServer(): RequestListener {
  const verifiers = forEachSetup((setup) => createVerifier(verifierOptions(setup, keys)))
  return async (incoming, response) => {
    const { method = 'GET', url = '/', rawHeaders, socket } = incoming
    const headers = new Headers()
    for (let at = 0; at < rawHeaders.length; at += 2)
      headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '')
    const request = new Request(`http://api${url}`, { method, headers })
    try {
      const claims = await verifiers[split(url)[0]]?.verify(request, { ip: socket.remoteAddress })
      response.end(JSON.stringify({ sub: claims?.sub }))
    } catch (error) {
      if (!(error instanceof ClaimError)) return void response.writeHead(500).end(String(error))
      const { status, code, challenge } = error
      response.writeHead(status, challenge === undefined ? {} : { 'www-authenticate': challenge })
      response.end(JSON.stringify({ error: code }))
    }
  }
}

function listen(server: ReturnType<typeof createServer>): Promise<string> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(address(server))))
}

function address(server: ReturnType<typeof createServer>): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

await listen(upstream)
const app = createHonoApp(keys, address(upstream))
console.log(
  JSON.stringify({
    upstream: address(upstream),
    hono: await listen(createServer(getRequestListener(app.fetch))),
    express: await listen(createServer(createExpress())),
    fastify: `http://127.0.0.1:${await createFastify()}`,
    http: await listen(createServer(bare)),
    verifier: await listen(createServer(createVerifierServer())),
  }),
)
