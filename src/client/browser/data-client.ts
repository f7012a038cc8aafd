// Calls to the API with the token of this tab. The token and its proof are sent to the API's origins only. When the API
// refuses the token, the token is renewed and the call is repeated once. When the API refuses the proof, the call is repeated
// once with a new proof. A call is not repeated when its body is a stream or belongs to a `Request`.

import { DataClientError, networkError, toError, waitOf } from './error.ts'
import type { TokenSource } from './token-source.ts'

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
   * `fetch` with the token for requests to the API's origins, plain `fetch` for all others. A redirect to an origin that
   * does not get the token rejects with `redirect_refused` (browsers remove the token from that request: Fetch section
   * 4.4). With a key-bound token every redirect does, because a proof is for one URL. A 429 is returned, not repeated.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>
  /** Stops renewals and the exchange with other tabs. Later calls reject with `closed`. */
  close(): void
}

/** Parameters of {@link createDataClient}: where tokens come from, and where they may be sent. */
export interface DataClientParts {
  readonly source: TokenSource
  /** Absolute URL, with or without a trailing slash. */
  readonly baseUrl: string
  readonly apiOrigins: ReadonlySet<string>
  readonly fetch: typeof fetch
}

const LONGEST_WAIT_MS = 10_000
const JITTER_MS = 250
/** Searched in the challenge and in the body, because not every API lets pages read the challenge. */
const TOKEN_REFUSED = /invalid_token|token_expired|token_revoked|ip_mismatch/
const PROOF_REFUSED = /invalid_dpop_proof|invalid_proof/
const API = 'the API'

/** The base of relative URLs. Workers have no document. */
function pageBase(): string {
  return (
    (globalThis as { readonly document?: { readonly baseURI: string } }).document?.baseURI ?? location.href
  )
}

/** Creates a client for one API. */
export function createDataClient({ source, baseUrl, apiOrigins, fetch }: DataClientParts): DataClient {
  async function send(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const asked = input instanceof Request ? input : undefined
    // The URL is resolved once, as `fetch` would: the URL that is checked is the one that is requested.
    const url = new URL(asked?.url ?? String(input), pageBase()).href
    if (!apiOrigins.has(new URL(url).origin)) return fetch(input, init)
    // Like `fetch`, the constructor changes some methods to upper case. The proof must name the method that is sent.
    const { method } = new Request(url, { method: init.method ?? asked?.method ?? 'GET' })
    const signal = init.signal ?? asked?.signal
    const redirect = init.redirect ?? asked?.redirect ?? 'follow'

    async function sendOnce(isRepeated: boolean) {
      const { token, headers: own } = await orAborted(source.authorize(method, url, isRepeated), signal)
      const headers = new Headers(init.headers ?? asked?.headers)
      for (const [name, value] of Object.entries(own)) headers.set(name, value)
      const isStrict = 'dpop' in own && redirect === 'follow'
      const response = await fetch(asked ?? url, {
        ...init,
        headers,
        redirect: isStrict ? 'manual' : redirect,
      })
      const isStopped = isStrict && response.type === 'opaqueredirect'
      if (isStopped || (response.redirected && !apiOrigins.has(new URL(response.url).origin))) {
        discard(response)
        throw new DataClientError(`${API} sent a redirect that its token must not follow`, {
          code: 'redirect_refused',
        })
      }
      return { token, response }
    }

    const { token, response } = await sendOnce(false)
    if (response.status !== 401) return response
    const reason = `${response.headers.get('www-authenticate')} ${await response.clone().text()}`
    const isTokenRefused = TOKEN_REFUSED.test(reason)
    if (isTokenRefused) source.invalidate(token)
    else if (!PROOF_REFUSED.test(reason)) return response
    if (asked?.bodyUsed || isStream(init.body)) return response
    discard(response)
    return (await sendOnce(!isTokenRefused)).response
  }

  async function call<T>(method: string, path: string, { body, ...rest }: DataInit = {}): Promise<T> {
    const url = /^[a-z][a-z\d+.-]*:\/\//i.test(path)
      ? path
      : `${baseUrl.replace(/\/+$/, '')}/${path.replace(/^\//, '')}`
    const headers = new Headers(rest.headers)
    const init: RequestInit = { ...rest, method: method.toUpperCase(), headers }
    if (isBody(body)) init.body = body
    else if (body !== undefined) {
      init.body = JSON.stringify(body)
      if (!headers.has('content-type')) headers.set('content-type', 'application/json')
    }
    const explain = (error: unknown): never => {
      throw error instanceof DataClientError || rest.signal?.aborted ? error : networkError(API, error)
    }
    const reach = () => send(url, init).catch(explain)
    let response = await reach()
    const wait = waitOf(response) ?? Number.POSITIVE_INFINITY
    if (response.status === 429 && wait <= LONGEST_WAIT_MS && !isStream(body)) {
      discard(response)
      const pause = wait + JITTER_MS * Math.random()
      await orAborted(new Promise((resolve) => setTimeout(resolve, pause)), rest.signal)
      response = await reach()
    }
    if (!response.ok) throw await toError(response, API)
    return (await parse(response).catch(explain)) as T
  }

  return {
    get: (path, init) => call('GET', path, init),
    post: (path, body, init) => call('POST', path, { ...init, body }),
    put: (path, body, init) => call('PUT', path, { ...init, body }),
    patch: (path, body, init) => call('PATCH', path, { ...init, body }),
    delete: (path, init) => call('DELETE', path, init),
    request: call,
    fetch: send,
    close: source.close,
  }
}

async function parse(response: Response): Promise<unknown> {
  const text = await response.text()
  const isJson = /[/+]json\b/i.test(response.headers.get('content-type') ?? '')
  if (text === '') return isJson || response.status === 204 ? undefined : text
  if (!isJson) return text
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new DataClientError(`${API} answered with broken JSON`, {
      status: response.status,
      code: 'invalid_response',
      cause,
    })
  }
}

/** Whether `fetch` takes this value as a body. */
function isBody(body: unknown): body is BodyInit {
  const kinds = [Blob, FormData, URLSearchParams, ArrayBuffer]
  return (
    typeof body === 'string' ||
    ArrayBuffer.isView(body) ||
    isStream(body) ||
    kinds.some((kind) => body instanceof kind)
  )
}

function isStream(body: unknown): boolean {
  return body instanceof ReadableStream
}

/** Cancels a body that will not be read, which frees its connection. */
function discard({ body }: Response): void {
  body?.cancel().catch(() => undefined)
}

/** The result of `task`; rejects with the reason of `signal` when that aborts first. */
async function orAborted<T>(task: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return task
  signal.throwIfAborted()
  let abort = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort)
  })
  try {
    return await Promise.race([task, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
