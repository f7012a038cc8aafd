// What the page works with: the client that a customer's page would have, and the ways in which this page looks over
// its shoulder. The client knows nothing of being watched: it is given a `fetch` of ours.

import {
  autoInitializeDataClient,
  createTokenSource,
  type DataClient,
} from '../../../src/client/browser/index.ts'

/** Origins, from the page's own markup. */
export const { site = '', api = '', thief = '' } = document.body.dataset

const ORIGIN_LINE = `Origin: ${site}  (by the browser)`

/** A claims set, as far as it is shown. */
export interface ClaimsOfToken {
  readonly origin: string
  readonly ip?: string
  readonly cnf?: { readonly jkt: string }
  readonly iat: number
  readonly exp: number
  readonly sub: string
  readonly scope?: string
  readonly jti: string
}

/** A request of the client, as it went out. */
export interface Sent {
  readonly token: string
  readonly proof: string
  /** For reading. */
  readonly text: string
}

/** An answer, as far as it is shown. */
export interface Answer {
  readonly status: number
  /** `error` of the problem; null where there is none. */
  readonly code: string | null
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON came
  readonly body: any
}

/** The page's client, and what was last seen of it. */
export interface World {
  readonly client: DataClient
  /** The last request to the API. */
  last(): Sent
  /** A call by `client`; an error of it is an answer here. */
  call(path: string): Promise<Answer>
}

/** The claims in a token. The page only shows them: whoever trusts them must have checked the signature. */
export function readClaims(token: string): ClaimsOfToken {
  return readPart(token, 1)
}

/** One JSON part of a JWT. */
// biome-ignore lint/suspicious/noExplicitAny: whatever JSON it is
export function readPart(token: string, index: 0 | 1): any {
  const part = token.split('.')[index] ?? ''
  const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
  return JSON.parse(new TextDecoder().decode(bytes))
}

/** Opens the world; `onToken` is told of each token, when it comes and when it is used. */
export async function openWorld(onToken: (token: string) => void): Promise<World> {
  let sent: Sent | undefined
  const watch: typeof fetch = async (input, init) => {
    const headers = new Headers(init?.headers)
    const [, token] = (headers.get('authorization') ?? '').split(' ')
    if (token) {
      const proof = headers.get('dpop') ?? ''
      const text = `GET ${input}\n${ORIGIN_LINE}\nAuthorization: DPoP ${token}\nDPoP: ${proof}`
      sent = { token, proof, text }
      onToken(token)
      return fetch(input, init)
    }
    const response = await fetch(input, init)
    if (response.ok) onToken((await response.clone().json()).token)
    return response
  }
  const client = await autoInitializeDataClient({
    clientTokenUri: '/api/client-token',
    dpop: true,
    fetch: watch,
  })
  return {
    client,
    last() {
      if (!sent) throw new Error('nothing was sent yet')
      return sent
    },
    async call(path) {
      const response = await client.fetch(`${api}${path}`)
      return readAnswer(response)
    },
  }
}

/** A token from another endpoint of the backend, bound to the origin only. */
export async function getToken(uri: string): Promise<string> {
  const source = createTokenSource({ clientTokenUri: uri })
  const token = await source.getToken()
  source.close()
  return token
}

/** A call from this page with a token that is bound to no key. */
export async function callPlainly(token: string): Promise<Answer> {
  return readAnswer(await fetch(`${api}/plants`, { headers: { authorization: `Bearer ${token}` } }))
}

/** What such a call looks like. */
export function describeCall(token: string): string {
  return `GET ${api}/plants\n${ORIGIN_LINE}\nAuthorization: Bearer ${token}`
}

/** Has something done by the lab behind this page. */
// biome-ignore lint/suspicious/noExplicitAny: JSON of our own server
export async function askLab(bench: string, input: object = {}): Promise<any> {
  const response = await fetch(`/lab/${bench}`, { method: 'POST', body: JSON.stringify(input) })
  const body = await response.json()
  if (!response.ok) throw new Error(body.detail ?? body.error)
  return body
}

async function readAnswer(response: Response): Promise<Answer> {
  const body = await response.json()
  return { status: response.status, code: body.error ?? null, body }
}
