// A Hono app with the middleware of each setup, for Node and for workerd.

import { Hono } from 'hono'
import { stream } from 'hono/streaming'
import { type ClaimVariables, claimAuth, claimCors } from '../../../src/verify/middleware/hono.ts'
import { SITE } from '../cases.ts'
import type { KeyOption } from '../mint.ts'
import { createGuards } from './options.ts'

/** Creates the app. `upstream` is the URL of a server whose response the handler of `immutable` returns unchanged. */
export function createHonoApp(keys: KeyOption, upstream: string): Hono<{ Variables: ClaimVariables }> {
  const app = new Hono<{ Variables: ClaimVariables }>()
  for (const [name, guard] of Object.entries(createGuards(keys, claimAuth))) app.use(`/${name}/*`, guard)
  app.use('/public/*', claimCors({ allowedOrigins: [SITE], allowedHeaders: ['X-Extra'] }))
  app.use('/public/twice/*', claimCors({ allowedOrigins: [SITE] }))
  app.all('/:setup/ok', (c) => c.json({ sub: c.var.claims?.sub }))
  app.get('/:setup/throws', () => {
    throw new Error('boom')
  })
  app.get('/:setup/rejects', async () => {
    throw new Error('boom')
  })
  app.get('/:setup/vary', (c) => c.text('', 200, { vary: 'Accept-Encoding' }))
  app.get('/:setup/vary-list', (c) => {
    c.header('vary', 'Accept')
    c.header('vary', 'Accept-Encoding', { append: true })
    return c.text('')
  })
  app.get('/:setup/vary-origin', (c) => c.text('', 200, { vary: 'Accept, origin' }))
  app.get('/:setup/vary-all', (c) => c.text('', 200, { vary: '*' }))
  app.get('/:setup/own-cors', (c) => c.text('', 200, { 'access-control-allow-origin': '*' }))
  app.get('/:setup/cookies', (c) => {
    c.header('set-cookie', 'a=1')
    c.header('set-cookie', 'b=2', { append: true })
    return c.text('')
  })
  app.get('/:setup/immutable', () => fetch(upstream))
  app.get('/:setup/redirect', () => Response.redirect('https://www.example.com/', 302))
  app.get('/:setup/stream', (c) =>
    stream(c, async (out) => {
      await out.write('one,')
      await out.write('two')
    }),
  )
  app.get('/public/twice/ok', (c) => c.text(''))
  return app
}
