// A small API behind each middleware, on a loopback port: `/api/things` answers with the account of the token, and
// `/api/admin` needs the scope `admin` as well.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import createFastify from 'fastify'
import { Hono } from 'hono'
import {
  claimAuth as fastifyAuth,
  requireScope as fastifyScope,
} from '../../src/verify/middleware/fastify.ts'
import {
  type ClaimVariables,
  claimAuth as honoAuth,
  requireScope as honoScope,
} from '../../src/verify/middleware/hono.ts'
import {
  type ClaimAuthOptions,
  claimsOf,
  claimAuth as nodeAuth,
  requireScope as nodeScope,
} from '../../src/verify/middleware/node.ts'
import { sendToSocket, type WireAnswer, type WireRequest } from './wire.ts'

export const MIDDLEWARES = ['hono', 'express', 'fastify'] as const
export type MiddlewareName = (typeof MIDDLEWARES)[number]

export interface GuardedApi {
  readonly url: string
  ask(request: Partial<WireRequest>): Promise<WireAnswer>
  stop(): Promise<void>
}

/** Options of the middleware; undefined leaves it out, as someone who forgot it. */
export type Guarded = ClaimAuthOptions | undefined

const starts: Readonly<Record<MiddlewareName, (options: Guarded) => Promise<Started>>> = {
  async hono(options) {
    const app = new Hono<{ Variables: ClaimVariables }>()
    if (options !== undefined) app.use('/api/*', honoAuth(options))
    app.all('/api/things', (context) => context.text(context.var.claims.sub))
    app.all('/api/admin', honoScope('read', 'admin'), (context) => context.text('admin'))
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
    await new Promise<void>((resolve) => (server.listening ? resolve() : server.once('listening', resolve)))
    return { server }
  },
  async express(options) {
    const app = express()
    if (options !== undefined) app.use('/api', nodeAuth(options))
    app.all('/api/things', (request, response) => void response.send(claimsOf(request).sub))
    app.all('/api/admin', nodeScope('read admin'), (_request, response) => void response.send('admin'))
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { server }
  },
  async fastify(options) {
    const app = createFastify({ forceCloseConnections: true })
    app.register(
      async (api) => {
        if (options !== undefined) api.register(fastifyAuth, options)
        const method = ['GET', 'POST'] as const
        api.route({ method: [...method], url: '/things', handler: async (request) => request.claims.sub })
        api.get('/admin', { onRequest: fastifyScope('read', 'admin') }, async () => 'admin')
      },
      { prefix: '/api' },
    )
    app.get('/open', async () => 'open')
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { server: app.server, close: () => app.close() }
  },
}

interface Started {
  readonly server: Server
  readonly close?: () => Promise<unknown>
}

/** Starts the API behind a middleware with these options. */
export async function startGuarded(name: MiddlewareName, options: Guarded): Promise<GuardedApi> {
  const { server, close } = await starts[name](options)
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    ask: ({ method = 'GET', path = '/api/things', headers = {}, ...rest }) =>
      sendToSocket(url, { method, path, headers, ...rest }),
    stop: async () => {
      if (close !== undefined) await close()
      else await new Promise((resolve) => server.close(resolve))
    },
  }
}
