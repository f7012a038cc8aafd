// Half a minute of claims and verifications through two servers on one store and a remote verifier, while signing keys and a
// customer's secret are rotated: no valid request is refused.

import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createVerifier, type Verifier } from '../../src/verify/verifier.ts'
import { admin, claim, whoami } from '../support/admin-api.ts'
import { type RunningServer, useServers } from '../support/server.ts'
import { SITE } from '../support/world.ts'

const SECONDS = 36
const PUBLISH_SECONDS = 3
/** When signing keys are rotated, seconds after the start. The times are further apart than PUBLISH_SECONDS. */
const KEY_ROTATIONS = [4, 11, 17, 24, 30]
const OVERLAP_SECONDS = 6
/** When the customer's secret is rotated, seconds after the start. */
const SECRET_ROTATIONS = [7, 20]
/** Seconds after which the customer's backend uses the new secret. */
const SWITCH_AFTER = 3

const { makeFolder, start } = useServers()

let one: RunningServer
let other: RunningServer
let remote: Verifier

beforeAll(async () => {
  const issuer = 'http://127.0.0.1:8787'
  const options = {
    dir: makeFolder(),
    env: {
      CLAIMGATE_ISSUER: issuer,
      CLAIMGATE_KEY_PUBLISH: String(PUBLISH_SECONDS),
      CLAIMGATE_RATE_LIMIT: 'off',
    },
  }
  one = await start(options)
  other = await start(options)
  remote = createVerifier({ issuer, audience: issuer, jwksUri: `${one.url}/.well-known/jwks.json` })
})
afterAll(() => remote?.close())

test('no valid request is refused while keys and secrets are rotated', {
  timeout: (SECONDS + 60) * 1000,
}, async () => {
  const created = await admin(one.url, 'POST', '/accounts', {
    body: { name: 'Shop', allowedOrigins: [SITE] },
    status: 201,
  })
  const { id } = created.credential
  let secret: string = created.credential.token
  const begin = performance.now()
  const elapsed = () => (performance.now() - begin) / 1000
  const faults: string[] = []
  const kids = new Set<string>()
  let made = 0
  let judged = 0

  async function remoteVerdict(token: string): Promise<string> {
    const request = new Request('https://api.example/', {
      headers: { authorization: `Bearer ${token}`, origin: SITE },
    })
    return remote.verify(request).then(
      () => '200',
      (error: { code: string }) => error.code,
    )
  }

  /** Repeats: claims a token at one server, and sends this token and an older one to every verifier. */
  async function load(issuing: string): Promise<void> {
    const held: string[] = []
    while (elapsed() < SECONDS) {
      const answer = await claim(issuing, secret, SITE)
      if (answer.refusal !== undefined) faults.push(`${elapsed().toFixed(2)} claim: ${answer.refusal}`)
      else {
        made += 1
        kids.add(JSON.parse(atob(answer.token.split('.')[0])).kid)
        held.push(answer.token)
        if (held.length > 200) held.splice(Math.floor(Math.random() * 200), 1)
        const old = held[Math.floor(Math.random() * held.length)] as string
        for (const token of [answer.token, old]) {
          const verdicts = await Promise.all([
            whoami(one.url, token, SITE),
            whoami(other.url, token, SITE),
            remoteVerdict(token),
          ])
          judged += verdicts.length
          if (verdicts.some((verdict) => verdict !== '200'))
            faults.push(`${elapsed().toFixed(2)} verify: ${verdicts.join(', ')}`)
        }
      }
      await sleep(30)
    }
  }

  async function rotateKeys(): Promise<void> {
    for (const at of KEY_ROTATIONS) {
      await sleep(at * 1000 - elapsed() * 1000)
      const { keys } = await admin(one.url, 'POST', '/keys/rotate', { body: {} })
      const states = keys.map((key: { state: string }) => key.state)
      expect(states.filter((state: string) => state === 'current' || state === 'pending').sort()).toEqual([
        'current',
        'pending',
      ])
    }
  }

  async function rotateSecrets(): Promise<void> {
    for (const at of SECRET_ROTATIONS) {
      await sleep(at * 1000 - elapsed() * 1000)
      const before = secret
      const { credential } = await admin(one.url, 'POST', `/credentials/${id}/rotate`, {
        body: { overlap: OVERLAP_SECONDS },
      })
      expect(credential.id).toBe(id)
      // The new secret works everywhere immediately. The customer's backend keeps the old one for a while.
      for (const { url } of [one, other]) {
        expect((await claim(url, credential.token, SITE)).refusal).toBeUndefined()
      }
      await sleep(SWITCH_AFTER * 1000)
      secret = credential.token
      await sleep((OVERLAP_SECONDS - SWITCH_AFTER + 1.5) * 1000)
      for (const { url } of [one, other]) {
        expect((await claim(url, before, SITE)).refusal).toBe('401 unauthorized')
        expect((await claim(url, secret, SITE)).refusal).toBeUndefined()
      }
    }
  }

  await Promise.all([load(one.url), load(other.url), load(one.url), rotateKeys(), rotateSecrets()])
  expect(faults).toEqual([])
  // Tokens were signed with the first key and with the key of each rotation.
  expect(kids.size).toBe(KEY_ROTATIONS.length + 1)
  expect(made).toBeGreaterThan(500)
  expect(judged).toBeGreaterThan(3000)
})
