// `doctor`: what the service's verifier would see in a request.

import { describe, expect, test } from 'vitest'
import { createMachine } from './run.ts'

const ORIGIN = 'https://shop.example'

async function createShop() {
  const machine = createMachine({ CLAIMGATE_TRUSTED_PROXIES: '10.0.0.0/8' })
  const { credential } = await machine.json(['account', 'create', '--name', 'Shop', '--origin', ORIGIN])
  const { token } = await machine.json(['claim', '--origin', ORIGIN, '--ip', '203.0.113.7'], {
    env: { CLAIMGATE_ACCOUNT_TOKEN: credential.token },
  })
  const doctor = (...more: readonly string[]) =>
    machine.json(['doctor', '-H', `Authorization: Bearer ${token}`, ...more])
  return { machine, token, doctor }
}

describe('doctor', () => {
  test('shows peer, chain, address, origin, and the rule that decides', async () => {
    const { doctor, machine, token } = await createShop()
    const proxied = ['--peer', '10.0.0.2', '-H', 'X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.9.9.9']

    const allowed = await doctor('-H', `Origin: ${ORIGIN}`, ...proxied)
    expect(allowed).toMatchObject({
      peerIsTrusted: true,
      address: '203.0.113.7',
      origin: ORIGIN,
      readable: true,
      allowed: true,
      code: null,
    })
    expect(allowed.forwarded).toBe('6.6.6.6, 203.0.113.7, 10.9.9.9')
    const outcomes = Object.fromEntries(
      allowed.steps.map(({ step, outcome }: { step: string; outcome: string }) => [step, outcome]),
    )
    expect(outcomes).toMatchObject({
      signature: 'pass',
      origin: 'pass',
      address: 'pass',
      key: 'skip',
      scope: 'skip',
    })

    const spoofed = await doctor(
      '-H',
      `Origin: ${ORIGIN}`,
      '--peer',
      '6.6.6.6',
      '-H',
      'X-Forwarded-For: 203.0.113.7',
    )
    expect(spoofed).toMatchObject({
      peerIsTrusted: false,
      address: '6.6.6.6',
      allowed: false,
      code: 'ip_mismatch',
    })
    expect(spoofed.steps).toContainEqual(
      expect.objectContaining({ step: 'address', expected: '203.0.113.7', actual: '6.6.6.6' }),
    )

    const foreign = await doctor('-H', 'Origin: https://evil.example', ...proxied)
    expect(foreign).toMatchObject({ readable: false, code: 'origin_mismatch' })
    expect(foreign.steps.find((one: { step: string }) => one.step === 'address')).toMatchObject({
      outcome: 'skip',
    })

    const text = await machine.run(['doctor', '-H', `Authorization: Bearer ${token}`])
    expect(text.code).toBe(0)
    expect(text.stdout).toContain(`\nexpected  ${ORIGIN}\nactual    none\n\nrefused: origin_required`)
    expect(text.stdout).not.toContain(token)
  })

  test('a malformed header or peer is a usage error', async () => {
    const machine = createMachine()
    for (const options of [
      ['-H', 'no colon'],
      ['--peer', 'localhost'],
    ]) {
      expect((await machine.run(['doctor', ...options])).code).toBe(2)
    }
  })

  test('a text that is not the whole URL or a method of a request is a usage error that says what to write', async () => {
    const { machine } = await createShop()
    for (const url of [
      'api.example.com/a',
      '/auth/whoami',
      'ftp://api.example.com/',
      'http://',
      'https://a b/',
      'https://api.example.com:99999/',
      'cgk_secret_secret_000000',
      '',
    ]) {
      const { code, stdout, stderr } = await machine.run(['doctor', url])
      expect([url, code, stdout]).toEqual([url, 2, ''])
      expect(stderr).toBe(
        'claimgate: the URL must be the whole http(s) URL of the request, like https://api.example.com/a\n',
      )
    }
    const method = await machine.run(['doctor', '--method', 'G T'])
    expect([method.code, method.stderr]).toEqual([2, expect.stringContaining('must be an HTTP method')])
    expect((await machine.run(['doctor', 'https://api.example.com/a?b=c', '-X', 'PUT'])).code).toBe(0)
  })
})
