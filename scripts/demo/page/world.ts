// The client that a customer's page would have, and what the demo adds in order to show its requests: a `fetch` that
// records each request before it sends it.

import {
  autoInitializeDataClient,
  createTokenSource,
  type DataClient,
} from '../../../src/client/browser/index.ts'

/** Origins, from the page's own markup. */
export const { site = '', api = '', thief = '' } = document.body.dataset

const ORIGIN_LINE = `Origin: ${site}  (by the browser)`

/** The claims of a token that the page shows. */
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

/** The claims of a DPoP proof that the page shows (RFC 9449 section 4.2). */
export interface ClaimsOfProof {
  readonly htm: string
  readonly htu: string
  readonly jti: string
}

/** What the tasks of the lab answer. */
interface LabAnswers {
  readonly attack: {
    readonly command: string
    readonly status: number
    readonly code: string | null
    readonly detail: string | null
  }
  readonly neighbour: { readonly token: string; readonly address: string }
  readonly revoke: unknown
}

/** A request of the client, as it was sent. */
export interface Sent {
  readonly token: string
  readonly proof: string
  /** The request as text, for display. */
  readonly text: string
}

/** An answer of the API. The shape of its body is not checked. */
export interface Answer<Body = unknown> {
  readonly status: number
  /** `error` of the problem; null where there is none. */
  readonly code: string | null
  readonly body: Body
}

/** The page's client, and its last request. */
export interface World {
  readonly client: DataClient
  /** The last request to the API; throws before the first. */
  last(): Sent
  /** A call by `client`. Resolves for refusals too; rejects when there is no answer. */
  call<Body = unknown>(path: string): Promise<Answer<Body>>
}

/** The claims in a token, for display only: the signature is not verified. */
export function readClaims(token: string): ClaimsOfToken {
  return readPayload(token) as ClaimsOfToken
}

/** The claims in a DPoP proof. Nothing is verified. */
export function readProof(proof: string): ClaimsOfProof {
  return readPayload(proof) as ClaimsOfProof
}

function readPayload(token: string): unknown {
  const part = token.split('.')[1] ?? ''
  const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
  return JSON.parse(new TextDecoder().decode(bytes))
}

/** Starts the client. `onToken` is called with each token when it arrives and when it is used. */
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
    call: async (path) => readAnswer(await client.fetch(`${api}${path}`)),
  }
}

/** A token from another endpoint of the backend, bound to the origin only. */
export async function getToken(uri: string): Promise<string> {
  const source = createTokenSource({ clientTokenUri: uri })
  const token = await source.getToken()
  source.close()
  return token
}

/** A call from this page with a token that is not bound to a key. */
export async function callPlainly(token: string): Promise<Answer> {
  return readAnswer(await fetch(`${api}/plants`, { headers: { authorization: `Bearer ${token}` } }))
}

/** The request of {@link callPlainly} as text, for display. */
export function describeCall(token: string): string {
  return `GET ${api}/plants\n${ORIGIN_LINE}\nAuthorization: Bearer ${token}`
}

/** Has the lab, which runs in the site's backend, do what this page cannot. Rejects when that fails. */
export async function askLab<Task extends keyof LabAnswers>(
  task: Task,
  input: object = {},
): Promise<LabAnswers[Task]> {
  const response = await fetch(`/lab/${task}`, { method: 'POST', body: JSON.stringify(input) })
  const body = await response.json()
  if (!response.ok) throw new Error(body.detail ?? body.error)
  return body
}

async function readAnswer<Body>(response: Response): Promise<Answer<Body>> {
  const body = await response.json()
  return { status: response.status, code: body.error ?? null, body }
}
