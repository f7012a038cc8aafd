// Headers that must be on a Node answer when it goes out, whatever the handler, or the framework's handler of errors,
// does to headers before. Knows nothing of Node but the shape of its ServerResponse.

import { addVary, type CorsHeaders, isCorsHeader } from './cors.ts'

/** What is used of a ServerResponse, HTTP/2's too. */
export interface ResponseLike {
  writeHead: unknown
  getHeader(name: string): unknown
  getHeaderNames(): string[]
  removeHeader(name: string): void
  appendHeader(name: string, value: string): unknown
}

/** Puts `headers`, in lower case, on the answer when its head is written. `Vary` is added to, and CORS is ours alone. */
export function keepHeaders(response: ResponseLike, headers: CorsHeaders): void {
  const { vary } = headers
  const { writeHead } = response
  response.writeHead = function writeHeadWithOurs(
    this: ResponseLike,
    status: number,
    ...rest: readonly unknown[]
  ): unknown {
    const given = takeList(this, rest.at(-1))
    // One object, not setHeader for each: a quarter of the price on Node, which then keeps no second list of them.
    const all: Record<string, unknown> = { ...headers }
    if (vary !== undefined) all.vary = addVary(String(this.getHeader('vary') ?? ''), vary)
    // CORS is the gate's: what a handler opens beside it stays shut.
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

/** Headers as writeHead takes them: an object, or a flat list in which names may repeat, which is set at once. */
function takeList(response: ResponseLike, given: unknown): Readonly<Record<string, unknown>> {
  if (Array.isArray(given)) {
    const pairs = given.flatMap((name, at) => (at % 2 === 0 ? [[name, given[at + 1]] as const] : []))
    for (const [name] of pairs) response.removeHeader(name)
    for (const [name, value] of pairs) response.appendHeader(name, value)
    return {}
  }
  return typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {}
}
