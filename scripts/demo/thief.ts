// The thief's web site: one page, on its own origin, that tries to use a token it is given.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { DemoServer } from './demo-server.ts'

/** Serves the thief's page under every path. */
export function serveThief(server: DemoServer): void {
  const page = readFileSync(join(import.meta.dirname, 'page/thief.html'))
  server.serve((_, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(page)
  })
}
