// Calls to the API with the token of this tab. The token and its proof are sent to the API's origins only. When the API
// refuses the token, the token is renewed and the call is repeated once. When the API refuses the proof, the call is repeated
// once with a new proof. A call is not repeated when its body is a stream. A method, URL or body that the platform refuses
// causes the platform's own error, and no request is made.

import {
  DataClientError,
  invalidResponse,
  kindOf,
  networkError,
  parseObject,
  readText,
  toError,
} from './error.ts'
import { parseRetryAfter, sleep } from './renewal.ts'
import type { ConfiguredSource } from './token-source.ts'

/** Options as for `fetch`. A body that `fetch` does not take (an object, a number) is sent as JSON. */
export type DataInit = Omit<RequestInit, 'body' | 'method'> & { readonly body?: unknown }

/**
 * Calls to an API; {@link autoInitializeDataClient} creates it. Paths are relative to the API's base URL. A request to
 * another origin carries no token. Not checked: whether an answer has the type `T`.
 */
export interface DataClient {
  /**
   * Resolves to the body: parsed when the media type is JSON, else as text; `undefined` for empty JSON and for a 204.
   * Rejects with a {@link DataClientError} when the status is not 2xx or there is no answer.
   */
  get<T = unknown>(path: string, init?: DataInit): Promise<T>
  post<T = unknown>(path: string, body?: unknown, init?: DataInit): Promise<T>
  put<T = unknown>(path: string, body?: unknown, init?: DataInit): Promise<T>
  patch<T = unknown>(path: string, body?: unknown, init?: DataInit): Promise<T>
  delete<T = unknown>(path: string, init?: DataInit): Promise<T>
  /** A call with any method. This and the methods above wait and repeat a call once when a 429 asks for at most 10 s. */
  request<T = unknown>(method: string, path: string, init?: DataInit): Promise<T>
  /**
   * `fetch` with the token for requests to the API's origins, plain `fetch` for all others. A path is relative to the base
   * URL. A redirect to an origin that does not get the token rejects with `redirect_refused` (browsers remove the token from
   * that request: Fetch section 4.4). With a key-bound token every redirect does, because a proof is for one URL. A 429 is
   * returned, not repeated.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>
  /** Stops renewals and the exchange with other tabs. Later calls reject with `closed`. */
  close(): void
}

/** Parameters of {@link createDataClient}: where tokens come from, and where they may be sent. */
export interface DataClientParts {
  readonly source: ConfiguredSource
  /** Absolute URL, with or without a trailing slash. */
  readonly baseUrl: string
  readonly apiOrigins: ReadonlySet<string>
  readonly fetch: typeof fetch
}

const LONGEST_WAIT_MS = 10_000
const JITTER_MS = 250
const TOKEN_REFUSED = /^(invalid_token|token_expired|token_revoked|ip_mismatch)$/
const PROOF_REFUSED = /^invalid_(dpop_)?proof$/
/** The `error` of a Bearer or DPoP challenge (RFC 9110 section 11.6.1), which may follow other parameters of that challenge. */
const CHALLENGE = /(?:^|,) *(?:Bearer|DPoP) +(?:[\w-]+=(?:"[^"]*"|[^",]*), *)*?error="?(\w+)/i
/** The kinds of values that `fetch` takes as a body: a typed array, but not a plain one. */
const BODY = /^(String|Blob|File|FormData|URLSearchParams|ReadableStream|ArrayBuffer|DataView|.+Array)$/
const API = 'the API'

/** Creates a client for one API. */
export function createDataClient({ source, baseUrl, apiOrigins, fetch }: DataClientParts): DataClient {
  /** The absolute URL of a path. A URL with a scheme stays as it is. */
  const resolve = (path: string): string =>
    new URL(
      /^\w[\w+.-]*:\/\/|^(data|blob):/i.test(path)
        ? path
        : `${baseUrl.replace(/\/+$/, '')}/${path.replace(/^\//, '')}`,
    ).href

  /** Checks a request, and throws what the platform throws for it. Each call of the result sends the request. */
  function prepare(input: RequestInfo | URL, init: RequestInit = {}): () => Promise<Response> {
    const asked = kindOf(input) === 'Request' ? (input as Request) : undefined
    // The URL is resolved once: the URL that is checked is the one that is requested.
    const url = asked ? asked.url : resolve(String(input))
    if (!apiOrigins.has(new URL(url).origin)) return () => fetch(asked ?? url, init)
    const isStreamed = isStream(init.body)
    const made = new Request(url, asked ? { ...init, method: init.method ?? asked.method, body: null } : init)
    // The constructor changes some methods to upper case. The proof must name the method that is sent.
    const { method } = made
    const spare = asked?.clone()
    const { signal = asked?.signal, redirect = asked?.redirect ?? 'follow' } = init

    async function sendOnce(original: Request | undefined, isProofRefused = false) {
      const { token, headers: own } = await orAborted(source.authorize(method, url, isProofRefused), signal)
      const headers = new Headers(init.headers ?? asked?.headers)
      for (const [name, value] of Object.entries(own)) headers.set(name, value)
      const isStrict = 'dpop' in own && redirect === 'follow'
      const changes = { headers, redirect: isStrict ? 'manual' : redirect } as const
      // A stream belongs to the request that was made of it.
      const response = await (isStreamed
        ? fetch(made, changes)
        : fetch(original ?? url, { ...init, ...changes }))
      const isStopped = isStrict && response.type === 'opaqueredirect'
      if (isStopped || (response.redirected && !apiOrigins.has(new URL(response.url).origin))) {
        discard(response)
        throw new DataClientError(`${API} sent a redirect that its token must not follow`, {
          code: 'redirect_refused',
        })
      }
      return { token, response }
    }

    return async () => {
      const { token, response } = await sendOnce(asked)
      const refused = response.status === 401 ? await readRefusal(response) : ''
      const isTokenRefused = TOKEN_REFUSED.test(refused)
      const isRepeatable = isTokenRefused ? source.refuse(token) : PROOF_REFUSED.test(refused)
      if (isRepeatable && !isStreamed) {
        discard(response)
        return (await sendOnce(spare, !isTokenRefused)).response
      }
      return response
    }
  }

  async function call<T>(method: string, path: string, { body, ...rest }: DataInit = {}): Promise<T> {
    const headers = new Headers(rest.headers)
    const init: RequestInit = { ...rest, method: method.toUpperCase(), headers }
    if (BODY.test(kindOf(body))) init.body = body as BodyInit
    else if (body !== undefined) {
      init.body = JSON.stringify(body)
      if (!headers.has('content-type')) headers.set('content-type', 'application/json')
    }
    const send = prepare(path, init)
    const explain = (error: unknown): never => {
      throw error instanceof DataClientError || rest.signal?.aborted ? error : networkError(API, error)
    }
    const reach = () => send().catch(explain)
    let response = await reach()
    const waitMs = parseRetryAfter(response, source.now) ?? Infinity
    if (response.status === 429 && waitMs <= LONGEST_WAIT_MS && !isStream(body)) {
      discard(response)
      await orAborted(sleep(waitMs + JITTER_MS * Math.random()), rest.signal)
      response = await reach()
    }
    if (!response.ok) throw await toError(response, API, source.now)
    return (await parse(response).catch(explain)) as T
  }

  return {
    get: (path, init) => call('GET', path, init),
    post: (path, body, init) => call('POST', path, { ...init, body }),
    put: (path, body, init) => call('PUT', path, { ...init, body }),
    patch: (path, body, init) => call('PATCH', path, { ...init, body }),
    delete: (path, init) => call('DELETE', path, init),
    request: call,
    fetch: async (input, init) => prepare(input, init)(),
    close: source.close,
  }
}

/** The code of a 401: the body's `error`, else that of a challenge. Empty without either: the refusal is not ours. */
async function readRefusal(response: Response): Promise<string> {
  const error = parseObject(await readText(response.clone()))?.error
  if (typeof error === 'string') return error
  return CHALLENGE.exec(response.headers.get('www-authenticate') ?? '')?.[1] ?? ''
}

async function parse(response: Response): Promise<unknown> {
  const text = await response.text()
  const type = response.headers.get('content-type') ?? ''
  const isJson = /^\s*(application\/json|[^;]+\+json)\s*(;|$)/i.test(type)
  if (isJson ? !text.trim() : response.status === 204) return undefined
  if (!isJson) return text
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw invalidResponse(`${API} answered with broken JSON`, response.status, cause)
  }
}

function isStream(body: unknown): boolean {
  return kindOf(body) === 'ReadableStream'
}

/** Cancels a body that will not be read, which frees its connection. */
function discard({ body }: Response): void {
  body?.cancel().catch(() => undefined)
}

/** The result of `task`; rejects with the reason of `signal` when that aborts first. */
function orAborted<T>(task: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal?.reason)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort)
    task.then(resolve, reject).finally(() => signal?.removeEventListener('abort', abort))
  })
}
