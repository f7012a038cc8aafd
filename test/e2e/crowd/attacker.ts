// Attacks the resources that all tenants share, as one tenant, in a separate process: proofs of one key, failed claims,
// claims with one invalid parameter, revocations of its own tokens. Runs for the given seconds, then prints how often each
// status was answered, as one line of JSON: `{ proofs: { "200": n, "429": n }, … }`.

import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { Agent, request } from 'node:http'

const ORIGIN = 'https://pages.tenant.example'

interface Task {
  readonly url: string
  readonly seconds: number
  readonly token: string
  /** An account token of the same credential with a wrong secret and a valid checksum. */
  readonly wrong: string
}

const task: Task = JSON.parse(process.argv[2] ?? '')
const agent = new Agent({ keepAlive: true, maxSockets: 16 })
const end = performance.now() + task.seconds * 1000
const counts: Record<string, Record<string, number>> = {}

function ask(
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const sending = request(`${task.url}${path}`, { method, headers, agent }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (part: string) => {
        text += part
      })
      answer.on('end', () => resolve([answer.statusCode ?? 0, text]))
    })
    sending.on('error', reject)
    sending.end(body)
  })
}

/** Repeats `attack` until the time is over, and counts the statuses that it resolves to under `name`. */
async function repeat(name: string, attack: () => Promise<number>): Promise<void> {
  const byStatus: Record<string, number> = {}
  counts[name] = byStatus
  while (performance.now() < end) {
    const status = await attack()
    byStatus[status] = (byStatus[status] ?? 0) + 1
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }
const claim = (members: object): Promise<[number, string]> =>
  ask('POST', '/auth/claim', JSON_TYPE, JSON.stringify({ origin: ORIGIN, ...members }))

const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const { crv, kty, x } = publicKey.export({ format: 'jwk' })
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const hash = (text: string): string => createHash('sha256').update(text).digest('base64url')

function prove(accessToken: string): string {
  const claims = {
    jti: crypto.randomUUID(),
    htm: 'GET',
    htu: `${task.url}/auth/whoami`,
    iat: Math.floor(Date.now() / 1000),
    ath: hash(accessToken),
  }
  const input = `${part({ typ: 'dpop+jwt', alg: 'EdDSA', jwk: { crv, kty, x } })}.${part(claims)}`
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`
}

const [, bound] = await claim({ token: task.token, jkt: hash(JSON.stringify({ crv, kty, x })) })
const boundToken: string = JSON.parse(bound).token
const [, first] = await claim({ token: task.token })
const basic = Buffer.from(task.token.split('_').slice(1, 3).join(':')).toString('base64')

async function showProof(): Promise<number> {
  const headers = { authorization: `DPoP ${boundToken}`, origin: ORIGIN, dpop: prove(boundToken) }
  return (await ask('GET', '/auth/whoami', headers))[0]
}

async function revoke(accessToken: string): Promise<number> {
  const headers = { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' }
  return (await ask('POST', '/oauth/revoke', headers, `token=${accessToken}`))[0]
}

/** Revokes a new token. Resolves to the status of the claim when that is refused. */
async function revokeNew(): Promise<number> {
  const [status, text] = await claim({ token: task.token })
  return status === 200 ? revoke(JSON.parse(text).token) : status
}

await Promise.all([
  repeat('proofs', showProof),
  repeat('proofs too', showProof),
  repeat('wrong secrets', async () => (await claim({ token: task.wrong }))[0]),
  repeat('unusable parameters', async () => (await claim({ token: task.token, expiresIn: 1 }))[0]),
  repeat(
    'origins not allowed',
    async () => (await claim({ token: task.token, origin: 'https://x.example' }))[0],
  ),
  repeat('revocations', revokeNew),
  repeat('the same revocation', () => revoke(JSON.parse(first).token)),
])
process.stdout.write(`${JSON.stringify(counts)}\n`)
agent.destroy()
