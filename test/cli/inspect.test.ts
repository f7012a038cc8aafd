// `inspect` on tokens with faults.

import { createPrivateKey, sign as signBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { importJWK, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { createMachine, type Machine, readKey } from './run.ts'

const NOW = Math.floor(Date.now() / 1000)
const CLAIMS = { iss: 'https://i.example', aud: 'https://a.example', sub: 'acct_a', client_id: 'b', jti: 'c' }

/** A machine with signing keys. */
async function createIssuer(): Promise<Machine> {
  const machine = createMachine()
  const { credential } = await machine.json(['account', 'create', '--name', 'x', '--origin', '*'])
  await machine.run(['claim', '--origin', 'https://x.example', '-'], { stdin: credential.token })
  return machine
}

describe('inspect', () => {
  test('reports signature, time and format separately', async () => {
    const machine = await createIssuer()
    const { kid = '', alg = '', ...jwk } = readKey(machine.dir, 'current')
    const key = await importJWK(jwk as { kty: string }, alg)
    const sign = (claims: object, header: object = {}): Promise<string> =>
      new SignJWT({ ...CLAIMS, iat: NOW, exp: NOW + 600, ...claims })
        .setProtectedHeader({ alg, kid, typ: 'at+jwt', ...header })
        .sign(key)
    const good = await sign({})
    const [head = '', body = '', signature = ''] = good.split('.')
    const forged = `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
    // A valid ES256 signature under a header that names another algorithm.
    const input = `${Buffer.from(JSON.stringify({ alg: 'HS256', kid, typ: 'at+jwt' })).toString('base64url')}.${body}`
    const privateKey = createPrivateKey({ key: jwk, format: 'jwk' })
    const raw = signBytes('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    const wrongAlg = `${input}.${raw.toString('base64url')}`
    const cases: [string, string, string, string, string | null][] = [
      ['good', good, 'yes', 'yes', null],
      ['forged', forged, 'no', 'yes', null],
      ['alg of another key', wrongAlg, 'no', 'yes', null],
      ['unknown kid', await sign({}, { kid: 'nobody' }), 'unknown key', 'yes', null],
      ['no kid', await sign({}, { kid: undefined }), 'unknown key', 'yes', 'its header'],
      ['another typ', await sign({}, { typ: 'JWT' }), 'yes', 'yes', 'its header'],
      ['expired', await sign({ iat: NOW - 7200, exp: NOW - 3600 }), 'yes', 'no, expired', null],
      ['not yet', await sign({ nbf: NOW + 3600 }), 'yes', 'no, not yet', null],
      ['an unusable bound', await sign({ origin: null }), 'yes', 'unknown', 'its claim "origin"'],
      ['a time beyond dates', await sign({ exp: 1e300 }), 'yes', 'unknown', 'its claim "exp"'],
    ]
    for (const [name, token, validSignature, inItsTime, fault] of cases) {
      const seen = await machine.json(['inspect', token])
      expect([name, seen.validSignature, seen.inItsTime]).toEqual([name, validSignature, inItsTime])
      if (fault === null) expect([name, seen.fault]).toEqual([name, null])
      else expect(seen.fault).toContain(fault)
    }
    const old = await machine.run(['inspect', await sign({ iat: NOW - 7200, exp: NOW - 5400 })])
    expect(old.stdout).toMatch(/^ {2}iat .*\(2 h ago\)$/m)
    expect(old.stdout).toMatch(/^ {2}exp .*\(1 h ago\)$/m)
    const unusable = await machine.run(['inspect', await sign({ ip: [] })])
    expect(unusable.stdout).toContain('every verifier refuses it: its claim "ip" is missing or wrong\n')
    expect(unusable.stdout).not.toContain('works')
    const hostileToken = await sign({ 'a\x9b2J': '\x1b[2J\u202e\x07' })
    const hostile = await machine.run(['inspect', hostileToken])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the output must not contain these
    expect(hostile.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
    const document = await machine.run(['inspect', hostileToken, '--json'])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the output must not contain these
    expect(document.stdout.trimEnd()).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
    expect(JSON.parse(document.stdout).claims).toMatchObject({ 'a\x9b2J': '\x1b[2J\u202e\x07' })
  })

  test('refuses text that is not a JWT, without repeating it', async () => {
    const machine = createMachine()
    const part = Buffer.from('{"a":1}').toString('base64url')
    const cases = {
      nothing: '',
      'a word': 'hello',
      'two parts': `${part}.${part}`,
      'no signature': `${part}.${part}.`,
      'four parts': `${part}.${part}.c2ln.c2ln`,
      padding: `${part}=.${part}.c2ln`,
      'an array': `${Buffer.from('[1]').toString('base64url')}.${part}.c2ln`,
      'an account token': 'cgk_abcdefghijkl_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG_000000',
    }
    for (const [name, text] of Object.entries(cases)) {
      const { code, stdout, stderr } = await machine.run(['inspect', '--json', text])
      expect([name, code, stdout]).toEqual([name, 1, ''])
      expect(JSON.parse(stderr)).toEqual({
        error: 'invalid_token',
        message: expect.stringMatching(/^this is/),
      })
      if (text !== '') expect(stderr).not.toContain(text)
    }
    expect(existsSync(join(machine.dir, 'keys'))).toBe(false)
    expect(existsSync(join(machine.dir, 'claimgate.db'))).toBe(false)
  })

  test('creates no keys', async () => {
    const machine = createMachine()
    const token = await new SignJWT({ ...CLAIMS, iat: NOW, exp: NOW + 60 })
      .setProtectedHeader({ alg: 'HS256', kid: 'k', typ: 'at+jwt' })
      .sign(new Uint8Array(32))
    const { code, stdout } = await machine.run(['inspect', token])
    expect(code).toBe(0)
    expect(stdout).toContain('valid signature: unknown key\n')
    expect(existsSync(join(machine.dir, 'keys'))).toBe(false)
  })
})
