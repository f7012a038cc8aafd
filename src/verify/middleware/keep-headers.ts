// Sets headers on a Node response when its head is written. If they were set earlier, they would be lost when a handler or
// an error handler of the framework removes or replaces headers. Imports nothing from Node.

import { areCors, type CorsHeaders, combineHeader, isForeignCors } from './cors.ts'

/** The members of Node's `ServerResponse` (HTTP/1 and HTTP/2) that are used here. */
export interface ResponseLike {
  writeHead: unknown
  getHeader(name: string): unknown
  getHeaderNames(): string[]
  removeHeader(name: string): void
  appendHeader(name: string, value: string): unknown
}

/**
 * Replaces `writeHead` so that the response gets `headers` (names in lower case), whatever the handler sets: see
 * `combineHeader`. If they decide about CORS, CORS headers that the handler sets are removed.
 */
export function keepHeaders(response: ResponseLike, headers: CorsHeaders): void {
  const dropsCors = areCors(headers)
  const { writeHead } = response
  response.writeHead = function writeHeadWithOurs(
    this: ResponseLike,
    status: number,
    ...rest: readonly unknown[]
  ): unknown {
    const given = takeList(this, rest.at(-1))
    // One object instead of a call of setHeader for each header, because Node writes it faster.
    const all: Record<string, unknown> = {}
    for (const name in headers) {
      all[name] = combineHeader(name, headers[name] as string, String(this.getHeader(name) ?? ''))
    }
    // Only the middleware decides about CORS: a handler must not allow more.
    if (dropsCors) {
      const foreign = this.getHeaderNames().filter((name) => isForeignCors(name, headers))
      for (const name of foreign) this.removeHeader(name)
    }
    for (const name in given) {
      const lower = name.toLowerCase()
      if (dropsCors && isForeignCors(lower, headers)) continue
      if (!Object.hasOwn(headers, lower)) all[name] = given[name]
      else all[lower] = combineHeader(lower, String(all[lower]), String(given[name]))
    }
    const reason = typeof rest[0] === 'string' ? [rest[0]] : []
    return Reflect.apply(writeHead as (...args: unknown[]) => unknown, this, [status, ...reason, all])
  }
}

/**
 * The headers that a handler passes to writeHead, as an object. If it passes a flat list of names and values, in which names
 * may repeat, this sets them on the response and returns an empty object.
 */
function takeList(response: ResponseLike, given: unknown): Readonly<Record<string, unknown>> {
  if (Array.isArray(given)) {
    const pairs = given.flatMap((name, at) => (at % 2 === 0 ? [[name, given[at + 1]] as const] : []))
    for (const [name] of pairs) response.removeHeader(name)
    for (const [name, value] of pairs) response.appendHeader(name, value)
    return {}
  }
  return typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {}
}
