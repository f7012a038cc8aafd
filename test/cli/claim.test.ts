// `claim` has the same rules and prints the same answer as POST /auth/claim. `inspect` reads its tokens.

import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createSecret, formatAccountToken, parseAccountToken } from '../../src/signing/secret.ts'
import { createMachine, type Machine, readKey } from './run.ts'

const ORIGIN = 'https://www.example.com'
const CLAIM = ['claim', '--origin', `${ORIGIN}/page`]

interface Shop extends Machine {
  /** The account token of its credential. */
  readonly token: string
  /** Path of a file with the account token. */
  readonly tokenFile: string
}

/** A fresh machine with one account that holds the scopes read and write. */
async function createShop(...options: string[]): Promise<Shop> {
  const machine = createMachine()
  const argv = [
    'account',
    'create',
    '--name',
    'Shop',
    '--origin',
    ORIGIN,
    '--scope',
    'read write',
    ...options,
  ]
  const { credential } = await machine.json(argv)
  const tokenFile = join(machine.dir, 'account.token')
  writeFileSync(tokenFile, `${credential.token}\n`)
  return { ...machine, token: credential.token, tokenFile }
}

describe('a claim', () => {
  test('prints the token on stdout and its bounds on stderr; inspect reads the token and jose verifies it', async () => {
    const shop = await createShop()
    const argv = [...CLAIM, '--ip', '192.0.2.7,2001:DB8::/64', '--ip', '::ffff:192.0.2.8', '--scope', 'write']
    const claimed = await shop.run([...argv, '--expires-in', '120', '--token-file', shop.tokenFile])
    expect(claimed.code).toBe(0)
    expect(claimed.stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    expect(claimed.stderr).toMatch(
      /^Database: sqlite:\S+\norigin {3}https:\/\/www\.example\.com\nip {7}192\.0\.2\.7, 2001:db8::\/64, 192\.0\.2\.8\nscope {4}write\nexpires {2}\S+ \(in 2 min\)\n$/,
    )
    const token = claimed.stdout.trim()

    const { kid, alg, kty, crv, x, y } = readKey(shop.dir, 'current')
    const keySet = createLocalJWKSet({ keys: [{ kid, alg, kty, crv, x, y } as { kty: string }] })
    const issuer = 'http://127.0.0.1:8787'
    const { payload } = await jwtVerify(token, keySet, { issuer, audience: issuer, typ: 'at+jwt' })
    expect(payload).toMatchObject({
      client_id: parseAccountToken(shop.token)?.clientId,
      origin: ORIGIN,
      ip: ['192.0.2.7', '2001:db8::/64', '192.0.2.8'],
      scope: 'write',
    })
    expect(payload.exp! - payload.iat!).toBe(120)

    const human = await shop.run(['inspect', token])
    expect(human.code).toBe(0)
    expect(human.stdout).toContain('works only from the origin https://www.example.com\n')
    expect(human.stdout).toContain('works only from the address 192.0.2.7 or 2001:db8::/64 or 192.0.2.8\n')
    expect(human.stdout).toMatch(/^ {2}exp +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \(in 1 min\)$/m)
    expect(human.stdout).toMatch(/^ {2}kid +[\w-]{43}$/m)
    expect(human.stdout).toContain('valid signature: yes\nin its time: yes\n')
    expect(human.stdout + human.stderr).not.toContain(token.split('.')[2])

    const body = await shop.json(['inspect', '-'], { stdin: `${token}\n` })
    expect(body).toMatchObject({ validSignature: 'yes', inItsTime: 'yes', fault: null, claims: payload })
    expect(Date.parse(body.expiresAt) / 1000).toBe(payload.exp)
  })

  test("prints the API's answer with --json, wherever the account token came from", async () => {
    const shop = await createShop('--max-ttl', '900')
    const fromFile = await shop.json([...CLAIM, '--token-file', shop.tokenFile])
    expect(fromFile).toEqual({
      token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      tokenType: 'Bearer',
      expiresIn: 900,
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      expiration: expect.stringMatching(/^\d\d-\d\d-\d{4} \d\d:\d\d$/),
      origin: ORIGIN,
      scope: 'read write',
    })
    const jkt = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
    const withKey = await shop.json([...CLAIM, '--jkt', jkt, '-'], { stdin: shop.token })
    expect(withKey.tokenType).toBe('DPoP')
    const onStdin = await shop.json([...CLAIM, '--token-file', '-'], { stdin: `${shop.token}\r\nmore\n` })
    expect(onStdin.origin).toBe(ORIGIN)
    const inEnvironment = await shop.json(CLAIM, { env: { CLAIMGATE_ACCOUNT_TOKEN: shop.token } })
    expect(inEnvironment.origin).toBe(ORIGIN)
  })

  test('names every parameter at fault, as the API does', async () => {
    const shop = await createShop('--max-ttl', '600')
    const argv = ['claim', '--origin', '*', '--ip', '', '--expires-in', '601', '--jkt', 'x']
    const given = { env: { CLAIMGATE_ACCOUNT_TOKEN: shop.token } }
    const { code, stdout, stderr } = await shop.run([...argv, '--json'], given)
    const { error, errors } = JSON.parse(stderr)
    expect([code, stdout, error]).toEqual([1, '', 'invalid_request'])
    expect(errors.map((fault: { parameter: string }) => fault.parameter)).toEqual([
      'origin',
      'ip',
      'expiresIn',
      'jkt',
    ])
    const human = await shop.run(argv, given)
    expect(human.stderr).toMatch(/^ {2}--expires-in: must be a whole number of seconds from 10 to 600$/m)
  })

  test('refuses texts that are too long, as the API does', async () => {
    const shop = await createShop()
    const long = [`${ORIGIN}/${'a'.repeat(300)}`, Array(40).fill('10.0.0.1').join(), 'read '.repeat(300)]
    const [origin = '', ip = '', scope = ''] = long
    const given = { env: { CLAIMGATE_ACCOUNT_TOKEN: shop.token } }
    const argv = ['claim', '--origin', origin, '--ip', ip, '--scope', scope, '--json']
    expect(JSON.parse((await shop.run(argv, given)).stderr).errors).toEqual([
      { parameter: 'origin', message: 'must have at most 300 characters' },
      { parameter: 'ip', message: 'must have at most 256 characters' },
      { parameter: 'scope', message: 'must have at most 1024 characters' },
    ])
  })

  test('refuses what the credential or the account does not allow, and creates no keys', async () => {
    const shop = await createShop()
    const blankFile = join(shop.dir, 'blank.token')
    writeFileSync(blankFile, `${shop.token} \n`)
    const { clientId } = parseAccountToken(shop.token)!
    const forged = formatAccountToken({ clientId, clientSecret: createSecret() })
    const cases = [
      [CLAIM, forged, 'unauthorized'],
      [['claim', '--origin', 'not an origin'], forged, 'unauthorized'],
      [CLAIM, `${shop.token} `, 'unauthorized'],
      [[...CLAIM, '--token-file', blankFile], undefined, 'unauthorized'],
      [['claim', '--origin', 'https://evil.example', '--scope', 'pay'], shop.token, 'origin_not_allowed'],
      [[...CLAIM, '--scope', 'read', '--scope', 'pay'], shop.token, 'scope_not_allowed'],
    ] as const
    for (const [argv, stdin, code] of cases) {
      const source = stdin === undefined ? {} : { stdin }
      const refused = await shop.run([...argv, ...(stdin === undefined ? [] : ['-']), '--json'], source)
      expect([code, refused.code, refused.stdout, JSON.parse(refused.stderr).error]).toEqual([
        code,
        1,
        '',
        code,
      ])
      expect(refused.stderr).not.toContain(parseAccountToken(stdin ?? shop.token)?.clientSecret ?? stdin)
    }
    expect(existsSync(join(shop.dir, 'keys'))).toBe(false)
  })

  test('refuses an account token as an argument, without repeating it', async () => {
    const shop = await createShop()
    const cases = [
      [...CLAIM, '--token', shop.token],
      [...CLAIM, `--token=${shop.token}`],
      [...CLAIM, shop.token],
      [...CLAIM, `--account-token=${shop.token}`],
      [...CLAIM, '-', shop.token],
    ]
    for (const argv of cases) {
      const { code, stdout, stderr } = await shop.run(argv, { stdin: shop.token })
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toMatch(/not taken from the command line|unknown option|too many arguments/)
      expect(stderr).not.toContain(parseAccountToken(shop.token)?.clientSecret)
    }
    for (const argv of [CLAIM, [...CLAIM, '-'], [...CLAIM, '-', '--token-file', shop.tokenFile]]) {
      const { code, stderr } = await shop.run(argv)
      expect(code).toBe(2)
      expect(stderr).toMatch(/CLAIMGATE_ACCOUNT_TOKEN|stdin holds no|not both/)
    }
  })
})

describe('while a server runs', () => {
  test('a server started by `serve` knows the account and accepts the token', async () => {
    const machine = createMachine()
    const admin = 'an-admin-token-of-thirty-two-or-more-characters'
    const server = spawn(process.execPath, [resolve('scripts/claimgate.mjs'), 'serve'], {
      cwd: machine.dir,
      env: { PATH: process.env.PATH, ...machine.env, PORT: '0', CLAIMGATE_ADMIN_TOKEN: admin },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = new Promise<number | null>((done) => server.once('exit', done))
    onTestFinished(async () => {
      server.kill('SIGKILL')
      await exited
    })
    const url = await new Promise<string>((done, reject) => {
      let log = ''
      server.stdout.on('data', (chunk) => {
        log += chunk
        const line = log.split('\n').find((text) => text.includes('"msg":"listening"') && text.endsWith('}'))
        if (line !== undefined) done(JSON.parse(line).url)
      })
      void exited.then((code) => reject(new Error(`serve exited with ${code}`)))
    })
    const { account, credential } = await machine.json([
      'account',
      'create',
      '--name',
      'Shop',
      '--origin',
      ORIGIN,
    ])
    const env = { CLAIMGATE_ACCOUNT_TOKEN: credential.token, CLAIMGATE_ISSUER: url }
    const { token } = await machine.json(CLAIM, { env })
    const answer = await fetch(`${url}/auth/whoami`, {
      headers: { authorization: `Bearer ${token}`, origin: ORIGIN },
    })
    expect([answer.status, (await answer.json()).sub]).toEqual([200, account.id])

    const read = async (path: string) =>
      (await fetch(url + path, { headers: { authorization: `Bearer ${admin}` } })).json()
    expect(await read('/admin/accounts')).toEqual(await machine.json(['account', 'list']))
    expect(await read(`/admin/accounts/${account.id}`)).toEqual(
      await machine.json(['account', 'show', account.id]),
    )
    expect((await read('/admin/audit')).entries).toMatchObject([
      { actor: 'cli', action: 'account.create', target: account.id },
    ])
    server.kill('SIGTERM')
    expect(await exited).toBe(0)
  })
})
