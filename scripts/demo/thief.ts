// The thief's web site: one page, on an origin of its own, that tries whatever token it is told.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Place } from './place.ts'

/** Serves it. */
export function serveThief(place: Place): void {
  const page = readFileSync(join(import.meta.dirname, 'page/thief.html'))
  place.serve((_, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8')
    response.end(page)
  })
}
