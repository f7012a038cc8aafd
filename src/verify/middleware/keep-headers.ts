// Sets headers on a Node response at the moment its head is written. Set earlier, they would be lost when a handler or an
// error handler of the framework removes or replaces headers. Imports nothing from Node.

import { addVary, type CorsHeaders, isCorsHeader } from './cors.ts'

/** The members of Node's `ServerResponse` (HTTP/1 and HTTP/2) that are used here. */
export interface ResponseLike {
  writeHead: unknown
  getHeader(name: string): unknown
  getHeaderNames(): string[]
  removeHeader(name: string): void
  appendHeader(name: string, value: string): unknown
}

/**
 * Replaces `writeHead` so that the response gets `headers` (names in lower case), whatever the handler sets. `Vary` is
 * extended. If `headers` has it, they are CORS headers, and those of the handler are removed.
 */
export function keepHeaders(response: ResponseLike, headers: CorsHeaders): void {
  const { vary } = headers
  const { writeHead } = response
  response.writeHead = function writeHeadWithOurs(
    this: ResponseLike,
    status: number,
    ...rest: readonly unknown[]
  ): unknown {
    const given = takeList(this, rest.at(-1))
    // One object instead of setHeader for each header: on Node this costs a quarter.
    const all: Record<string, unknown> = { ...headers }
    if (vary !== undefined) all.vary = addVary(String(this.getHeader('vary') ?? ''), vary)
    // The middleware alone decides about CORS: a handler must not allow more.
    if (vary !== undefined)
      for (const name of this.getHeaderNames().filter(isCorsHeader)) this.removeHeader(name)
    for (const name in given) {
      const lower = name.toLowerCase()
      if (vary !== undefined && isCorsHeader(lower)) continue
      if (lower === 'vary' && vary !== undefined) all.vary = addVary(String(given[name]), vary)
      else if (!Object.hasOwn(headers, lower)) all[name] = given[name]
    }
    const reason = typeof rest[0] === 'string' ? [rest[0]] : []
    return Reflect.apply(writeHead as (...args: unknown[]) => unknown, this, [status, ...reason, all])
  }
}

/**
 * The headers that a handler passes to writeHead, as an object. A flat list of names and values, in which names may repeat,
 * is set on the response here, and the object is then empty.
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
