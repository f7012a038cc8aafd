// Requests whose headers are a plain object, as in Node's IncomingMessage and in the events of function platforms.

import type { RequestLike, VerifiableRequest } from './extract.ts'

type PlainHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

/** A request of `node:http`, as far as it is read here. Express keeps the whole path of a mounted router in `originalUrl`. */
export interface IncomingLike {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly originalUrl?: unknown
  readonly headers: PlainHeaders
  readonly rawHeaders: readonly string[]
}

/**
 * The request with headers that can be asked for by name. Throws a TypeError when it has no `headers` object, because that
 * is a mistake in the program and not in the request.
 */
export function toRequestLike(request: VerifiableRequest): RequestLike {
  const headers: unknown = request?.headers
  if (typeof headers !== 'object' || headers === null) {
    throw new TypeError(
      'the request has no headers: pass a Request, an IncomingMessage, or { method, url, headers }',
    )
  }
  if (hasGet(headers)) return request as RequestLike
  if (isIncoming(request)) return fromIncoming(request)
  const lines = readLines(headers as PlainHeaders)
  return {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    headers: { get: (name) => lines.get(name.toLowerCase()) ?? null },
  }
}

/** The same for a request of `node:http`. Repeated lines are joined by commas. */
export function fromIncoming(request: IncomingLike): RequestLike {
  const { originalUrl } = request
  return {
    method: request.method ?? 'GET',
    url: typeof originalUrl === 'string' ? originalUrl : (request.url ?? '/'),
    headers: { get: (name) => readIncoming(request, name.toLowerCase()) },
  }
}

function readIncoming({ headers, rawHeaders }: IncomingLike, name: string): string | null {
  const value = headers[name]
  if (value === undefined) return null
  // Node drops all but the first `Authorization` from `headers`.
  if (name === 'authorization') {
    const all = rawHeaders.filter(
      (_, index, raw) => index % 2 === 1 && raw[index - 1]?.toLowerCase() === name,
    )
    if (all.length > 1) return all.join(', ')
  }
  return typeof value === 'string' ? value : value.join(', ')
}

/** Names in lower case, and their lines joined by commas. A name may stand in an object several times, in different cases. */
function readLines(headers: PlainHeaders): ReadonlyMap<string, string> {
  const lines = new Map<string, string>()
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || value === null) continue
    const key = name.toLowerCase()
    const text = Array.isArray(value) ? value.join(', ') : String(value)
    const before = lines.get(key)
    lines.set(key, before === undefined ? text : `${before}, ${text}`)
  }
  return lines
}

function hasGet(headers: object): boolean {
  return typeof (headers as { readonly get?: unknown }).get === 'function'
}

function isIncoming(request: object): request is IncomingLike {
  return Array.isArray((request as { readonly rawHeaders?: unknown }).rawHeaders)
}
