// The command `explain` shows step by step what the verifier decides about a token.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { importJWK, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import type { Json } from '../support/wire.ts'
import { payloadOf } from '../support/world.ts'
import { createMachine, readKey } from './run.ts'
import { createShop, expectFailure, ORIGIN } from './shop.ts'

/** A JWT that the service did not issue: no claims, an unknown key, no valid signature. */
const FOREIGN = 'eyJhbGciOiJFUzI1NiIsImtpZCI6ImsiLCJ0eXAiOiJhdCtqd3QifQ.e30.AAAA'

describe('explain', () => {
  test('shows every step, the decision, and how to fix a refusal', async () => {
    const shop = await createShop()
    const stdin = shop.token
    const claim = ['claim', '--origin', ORIGIN, '--ip', '203.0.113.7', '-']
    const { token } = await shop.json(claim, { stdin })
    const context = ['--origin', ORIGIN, '--ip', '203.0.113.7']
    const allowed = await shop.run(['explain', token, ...context])
    expect(allowed).toEqual({
      code: 0,
      stdout: [
        'STEP        OUTCOME  WHY',
        ...['extract     pass', 'format      pass', 'signature   pass', 'claims      pass'],
        ...[
          'revocation  pass',
          'origin      pass',
          'address     pass',
          'key         skip',
          'scope       skip',
        ],
        ...['', 'allowed', ''],
      ].join('\n'),
      stderr: `Database: ${shop.env.DATABASE_URL}\n`,
    })
    const refused = await shop.run(['explain', '-', '--origin', ORIGIN, '--ip', '203.0.113.8'], {
      stdin: token,
    })
    expect(refused.code).toBe(0)
    expect(refused.stdout).toMatch(/^address +FAIL +ip_mismatch: the /m)
    expect(refused.stdout).toMatch(
      /\nrefused: ip_mismatch: Claim the token for the address .* See: .* doctor\n$/,
    )
    expect(refused.stdout).toContain('\n\nexpected  203.0.113.7\nactual    203.0.113.8\n\nrefused: ')
    for (const part of token.split('.')) expect(refused.stdout + allowed.stdout).not.toContain(part)
  })

  test("prints the API's document with --json", async () => {
    const shop = await createShop()
    const token = await shop.claim()
    const explain = (text: string, ...more: readonly string[]) => shop.json(['explain', text, ...more])
    const good = await explain(token, '--origin', ORIGIN)
    expect(good).toEqual({ allowed: true, code: null, steps: expect.any(Array) })
    expect(good.steps.map(({ step, outcome }: Json) => `${step} ${outcome}`)).toEqual([
      ...['extract pass', 'format pass', 'signature pass', 'claims pass', 'revocation pass', 'origin pass'],
      ...['address skip', 'key skip', 'scope skip'],
    ])
    const [head = '', body = '', signature = ''] = token.split('.')
    const { kid = '', alg = '', ...jwk } = readKey(shop.dir, 'current')
    const signed = async (claims: object): Promise<string> =>
      new SignJWT({ ...payloadOf(token), ...claims })
        .setProtectedHeader({ alg, kid, typ: 'at+jwt' })
        .sign(await importJWK(jwk as { kty: string }, alg))
    const now = Math.floor(Date.now() / 1000)
    const cases: readonly (readonly [string, readonly string[], string, string])[] = [
      ['hello', [], 'format', 'invalid_token'],
      [shop.token, [], 'format', 'invalid_token'],
      [FOREIGN, [], 'format', 'invalid_token'],
      [
        `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
        [],
        'signature',
        'invalid_token',
      ],
      [await signed({ iss: 'https://other.example' }), [], 'claims', 'invalid_token'],
      [await signed({ iat: now - 60, exp: now - 10 }), [], 'claims', 'token_expired'],
      [token, [], 'origin', 'origin_required'],
      [token, ['--origin', 'https://evil.example'], 'origin', 'origin_mismatch'],
      [await signed({ client_id: 'nobody' }), ['--origin', ORIGIN], 'revocation', 'token_revoked'],
      [
        await signed({ cnf: { jkt: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs' } }),
        ['--origin', ORIGIN],
        'key',
        'proof_required',
      ],
      [
        await signed({ cnf: { jkt: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs' } }),
        ['--origin', ORIGIN, '--dpop', FOREIGN, '--method', 'PUT', '--url', 'https://api.example/a'],
        'key',
        'invalid_proof',
      ],
    ]
    for (const [text, options, step, code] of cases) {
      const result = await explain(text, ...options)
      const failed = result.steps.find(({ outcome }: Json) => outcome === 'fail')
      expect([result.allowed, result.code, failed.step, failed.code]).toEqual([false, code, step, code])
    }
  })

  test('a token signed with a revoked key fails at the step revocation, not at signature', async () => {
    const shop = await createShop()
    const token = await shop.claim()
    await shop.json(['revoke', '--kid', String(readKey(shop.dir, 'current').kid)])
    const { steps } = await shop.json(['explain', token, '--origin', ORIGIN])
    expect(steps[2]).toMatchObject({ step: 'signature', outcome: 'pass' })
    expect(steps[4]).toMatchObject({ step: 'revocation', outcome: 'fail', code: 'token_revoked' })
    expect(await shop.json(['inspect', token])).toMatchObject({ validSignature: 'yes, by an expired key' })
  })

  test('names every option with a wrong value, and does not print the token', async () => {
    const machine = createMachine()
    const argv = ['explain', FOREIGN, '--ip', FOREIGN, '--method', 'G T', '--url', 'api.example']
    const { code, stdout, stderr } = await machine.run(argv)
    expect([code, stdout]).toEqual([1, ''])
    expect(
      stderr
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split(':')[0]),
    ).toEqual(['  --ip', '  --method', '  --url'])
    expect(stderr).not.toContain(FOREIGN)
    const long = await machine.run(['explain', 'x'.repeat(8193)])
    expect(long.stderr).toMatch(/^ {2}<jwt>: must be text of up to 8192 characters$/m)
    await expectFailure(machine, ['explain'], [2, 'usage'])
    await expectFailure(machine, ['explain', '-'], [2, 'usage'])
    expect(existsSync(join(machine.dir, 'claimgate.db'))).toBe(false)
  })

  test('warns to set CLAIMGATE_ISSUER when PORT is 0', async () => {
    const { code, stderr } = await (await createShop({ PORT: '0' })).run(['explain', FOREIGN])
    expect([code, stderr]).toEqual([0, expect.stringContaining('set CLAIMGATE_ISSUER')])
  })
})
