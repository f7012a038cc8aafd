// The demo's attacker without a browser. Sends real requests with forged headers, by curl or, where curl is missing, by
// Node. The demo page passes in the stolen token and proof.

import { execFile, spawnSync } from 'node:child_process'
import { request as sendRequest } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { DemoUrls } from './demo-server.ts'

/** The stolen data; `token` and `proof` come from a request body and are not checked yet. */
export interface StolenData {
  readonly token: unknown
  readonly proof: unknown
  /** The address that the token is bound to. */
  readonly address: string
}

/** One request that the attacker sent, and its answer. */
export interface Attempt {
  /** The curl command; without curl the request as text. */
  readonly command: string
  readonly status: number
  /** `error` and `detail` of the JSON answer; each is null when the answer does not have it. */
  readonly code: string | null
  readonly detail: string | null
}

/** Runs an attack, one request, by its name. */
export interface Attacker {
  /** Rejects for an unknown name, a token or proof that is not one, and when there is no answer within 5 s. */
  run(name: string, stolen: StolenData): Promise<Attempt>
  stop(): void
}

interface ForgedRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

interface Answer {
  readonly status: number
  readonly body: string
}

const TIME_LIMIT_MS = 5000

/** Creates the attacker. Its requests go to the demo's API and site; `thief` is the origin of the attacker's own page. */
export function createAttacker({ site, api, thief }: DemoUrls): Attacker {
  const url = `${api}/plants`
  const get = (headers: Record<string, string>): ForgedRequest => ({ method: 'GET', url, headers })
  const recipes: Readonly<Record<string, (stolen: StolenData) => ForgedRequest | Promise<ForgedRequest>>> = {
    'forge-origin': ({ token }) => get({ Origin: site, Authorization: `Bearer ${text(token)}` }),
    'omit-proof': ({ token }) => get({ Origin: site, Authorization: `DPoP ${text(token)}` }),
    'forge-address': ({ token, address }) =>
      get({ Origin: site, 'X-Forwarded-For': address, Authorization: `Bearer ${text(token)}` }),
    'replay-proof': ({ token, proof }) =>
      get({ Origin: site, Authorization: `DPoP ${text(token)}`, DPoP: text(proof) }),
    'own-key': async ({ token }) =>
      get({ Origin: site, Authorization: `DPoP ${text(token)}`, DPoP: await prove(url, text(token)) }),
    'ask-openly': () => ({ method: 'POST', url: `${site}/api/client-token`, headers: { Origin: thief } }),
    'ask-in-disguise': () => ({ method: 'POST', url: `${site}/api/client-token`, headers: { Origin: site } }),
  }
  const ending = new AbortController()
  const hasCurl = spawnSync('curl', ['--version']).status === 0

  return {
    async run(name, stolen) {
      const recipe = Object.hasOwn(recipes, name) ? recipes[name] : undefined
      if (!recipe) throw new Error('unknown attack')
      const request = await recipe(stolen)
      const { status, body } = await (hasCurl ? sendByCurl : sendByNode)(request, ending.signal)
      return { command: hasCurl ? toCommand(request) : toText(request), status, ...readProblem(body) }
    },
    stop: () => ending.abort(),
  }
}

/** Returns a token or proof unchanged. Throws unless it is 1 to 4096 letters, digits, `_`, `.` or `-`, safe in a shell and in a header. */
function text(value: unknown): string {
  if (typeof value === 'string' && /^[\w.-]{1,4096}$/.test(value)) return value
  throw new Error('not a token')
}

/** A valid proof for this request, signed by a new key (RFC 9449 section 4.2). */
async function prove(url: string, token: string): Promise<string> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwk = await exportJWK(publicKey)
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token))
  const ath = Buffer.from(digest).toString('base64url')
  return new SignJWT({ htm: 'GET', htu: url, ath, jti: crypto.randomUUID() })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk })
    .setIssuedAt()
    .sign(privateKey)
}

function curlArguments({ method, url, headers }: ForgedRequest): readonly string[] {
  const lines = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  return ['-si', ...(method === 'POST' ? ['-X', 'POST'] : []), url, ...lines]
}

/** The curl command to paste into a shell. Single quotes are enough, because no argument contains one. */
function toCommand(request: ForgedRequest): string {
  const words = curlArguments(request).map((word) => (/^[\w:/.-]+$/.test(word) ? word : `'${word}'`))
  return `curl ${words.join(' ')}`.replaceAll(' -H ', ' \\\n  -H ')
}

function toText({ method, url, headers }: ForgedRequest): string {
  return [`${method} ${url}`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)].join(
    '\n',
  )
}

function sendByCurl(request: ForgedRequest, signal: AbortSignal): Promise<Answer> {
  const settings = {
    signal,
    timeout: TIME_LIMIT_MS,
    killSignal: 'SIGKILL',
    // Leaves out this machine's proxy variables, because the requests go to loopback.
    env: { PATH: process.env.PATH },
  } as const
  return new Promise((resolve, reject) => {
    execFile('curl', curlArguments(request), settings, (error, stdout) => {
      const [head = '', body = ''] = stdout.split('\r\n\r\n')
      const status = Number(/^HTTP\/\S+ (\d{3})/.exec(head)?.[1])
      if (error || !status) reject(new Error('curl got no answer'))
      else resolve({ status, body })
    })
  })
}

function sendByNode({ method, url, headers }: ForgedRequest, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = sendRequest(url, { method, headers, signal, timeout: TIME_LIMIT_MS }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error('no answer within 5 s')))
    request.on('error', reject)
    request.end()
  })
}

function readProblem(body: string): Pick<Attempt, 'code' | 'detail'> {
  try {
    const { error = null, detail = null } = JSON.parse(body)
    return { code: error, detail }
  } catch {
    return { code: null, detail: null }
  }
}
