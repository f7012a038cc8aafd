// `credential create`, `rotate` and `revoke`.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { describe, expect, test } from 'vitest'
import { parseAccountToken } from '../../src/signing/secret.ts'
import { countOf, type RunResult, readDatabase } from './run.ts'
import { createShop, expectFailure, ORIGIN, type Shop } from './shop.ts'

const TOKEN = /cgk_[0-9A-Za-z]+_[0-9A-Za-z]+_[0-9A-Za-z]{6}/

/** Claims once with each account token. Returns the exit codes. */
async function claimBy(shop: Shop, ...tokens: readonly string[]): Promise<readonly (number | null)[]> {
  const codes: (number | null)[] = []
  for (const stdin of tokens) codes.push((await shop.run(['claim', '--origin', ORIGIN, '-'], { stdin })).code)
  return codes
}

describe.concurrent('credential create', () => {
  test('shows the secret once, with the ids of the credential and the account, and the next command', async () => {
    const shop = await createShop()
    const argv = ['credential', 'create', shop.accountId, '--name', 'Checkout', '--scope', 'write']
    const { code, stdout, stderr } = await shop.run(argv)
    expect([code, stderr]).toEqual([0, ''])
    const token = TOKEN.exec(stdout)?.[0] ?? ''
    const { clientId, clientSecret } = parseAccountToken(token)!
    expect(countOf(stdout, clientSecret)).toBe(1)
    expect(stdout).toMatch(new RegExp(`^credential  ${clientId}\naccount     ${shop.accountId}\n`))
    expect(stdout).toContain('never again')
    expect(stdout).toContain(`-- claim --origin ${ORIGIN} -\n`)
    expect(readDatabase(shop.dir)).not.toContain(clientSecret)
    const claimed = await shop.json(['claim', '--origin', ORIGIN, '-'], { stdin: token })
    expect(claimed.scope).toBe('write')
  })

  test('creates a credential as its options say', async () => {
    const shop = await createShop()
    const plain = await shop.json(['credential', 'create', shop.accountId])
    expect(plain).toEqual({
      credential: {
        id: plain.credential.clientId,
        token: expect.stringMatching(TOKEN),
        ...parseAccountToken(plain.credential.token),
      },
    })
    const options = [
      ...['--name', 'Prototype', '--scope', 'read write', '--expires', '2099-01-31T12:00:00+01:00'],
      ...['--browser-prototype', '--no-localhost'],
    ]
    await shop.json(['credential', 'create', shop.accountId, ...options])
    const defaults = {
      ...{ name: 'credential', status: 'active', scopes: ['read', 'write'], expiresAt: null },
      ...{ browserPrototype: false, allowLocalhost: true, lastUsedAt: null, previousExpiresAt: null },
    }
    expect(await shop.credentials()).toMatchObject([
      { ...defaults, name: 'default' },
      defaults,
      {
        ...{ ...defaults, name: 'Prototype', browserPrototype: true, allowLocalhost: false },
        expiresAt: '2099-01-31T11:00:00.000Z',
      },
    ])
  })

  test('writes the token to a file, and creates no credential when the file cannot be written', async () => {
    const shop = await createShop()
    const path = join(shop.dir, 'tokens', 'checkout.token')
    const argv = ['credential', 'create', shop.accountId, '--token-file']
    const { credential } = await shop.json([...argv, path])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(credential).toEqual({ id: credential.id, clientId: credential.id })
    expect(parseAccountToken(readFileSync(path, 'utf8'))?.clientId).toBe(credential.id)
    expect(await claimBy(shop, readFileSync(path, 'utf8'))).toEqual([0])
    const kept = readFileSync(path, 'utf8')
    const count = (await shop.credentials()).length
    for (const command of [argv, ['credential', 'rotate', shop.credentialId, '--token-file']]) {
      const { message } = await expectFailure(shop, [...command, path], [1, 'conflict'])
      expect(message).toContain(`${path} exists`)
      expect(message).toContain('--force')
    }
    expect([readFileSync(path, 'utf8'), (await shop.credentials()).length]).toEqual([kept, count])
    await expectFailure(shop, ['credential', 'create', shop.accountId, '--force'], [2, 'usage'])
    expect(await claimBy(shop, shop.token)).toEqual([0])
    const human = await shop.run([...argv, path, '--force'])
    expect(readFileSync(path, 'utf8')).not.toBe(kept)
    expect(human.stdout).not.toMatch(TOKEN)
    expect(human.stdout).toContain(`--token-file ${path}\n`)
    const before = await shop.credentials()
    await expectFailure(shop, [...argv, join(shop.dir, 'tokens')], [1, 'conflict'])
    expect(await shop.credentials()).toEqual(before)
  })

  test('registers public keys instead of a secret', async () => {
    const shop = await createShop()
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
    const write = (name: string, value: unknown): string => {
      writeFileSync(join(shop.dir, name), typeof value === 'string' ? value : JSON.stringify(value))
      return join(shop.dir, name)
    }
    const right = write('right.json', { keys: [await exportJWK(publicKey)] })
    const argv = ['credential', 'create', shop.accountId, '--jwks-file']
    const { credential } = await shop.json([...argv, right])
    expect(credential).toEqual({ id: credential.id, clientId: credential.id })
    const human = await shop.run([...argv, right])
    expect([human.code, human.stdout]).toEqual([0, expect.stringContaining('It has no secret')])
    await expectFailure(shop, ['credential', 'rotate', credential.id], [1, 'conflict'])

    const secret = await exportJWK(privateKey)
    const leaked = await shop.run([...argv, write('private.json', { keys: [secret] })])
    expect([leaked.code, leaked.stdout]).toEqual([1, ''])
    expect(leaked.stderr).toMatch(/^ {2}--jwks-file: \S/m)
    expect(leaked.stderr).not.toContain(secret.d)
    await expectFailure(shop, [...argv, write('no.json', '{"keys":')], [1, 'invalid_request'])
    await expectFailure(shop, [...argv, write('list.json', [])], [1, 'invalid_request'])
    await expectFailure(shop, [...argv, join(shop.dir, 'nowhere.json')], [1, 'unavailable'])
    await expectFailure(shop, [...argv, right, '--token-file', join(shop.dir, 'a')], [2, 'usage'])
    expect(await shop.credentials()).toHaveLength(3)
  })

  test('names the option of every fault', async () => {
    const shop = await createShop()
    const faults = ['--name', '', '--scope', 'a"b', '--expires', '2020-01-01T00:00:00Z']
    const { code, stdout, stderr } = await shop.run(['credential', 'create', shop.accountId, ...faults])
    expect([code, stdout]).toEqual([1, ''])
    for (const flag of ['--name', '--scope', '--expires'])
      expect(stderr).toMatch(new RegExp(`^  ${flag}: \\S`, 'm'))
    const foreign = ['credential', 'create', shop.accountId, '--scope', 'pay']
    const { errors } = await expectFailure(shop, foreign, [1, 'invalid_request'])
    expect(errors).toEqual([{ parameter: 'scopes', message: expect.stringContaining('of the account') }])
  })
})

/** Loaded before the program: no file can be moved to a name that ends in `.token`, as if the disk were full. */
const FULL_DISK = `
  import files from 'node:fs/promises'
  import { syncBuiltinESMExports } from 'node:module'
  for (const name of ['rename', 'link']) {
    const move = files[name]
    files[name] = async (from, to) => {
      if (String(to).endsWith('.token')) throw Object.assign(new Error('full'), { code: 'ENOSPC' })
      return move(from, to)
    }
  }
  syncBuiltinESMExports()
`

/** Runs a command as a process that prepares its token file and then cannot move it into place. */
function runOnFullDisk(shop: Shop, argv: readonly string[], path: string): Promise<RunResult> {
  const nodeArguments = ['--import', `data:text/javascript,${encodeURIComponent(FULL_DISK)}`]
  return shop.start([...argv, '--token-file', path], { nodeArguments })
}

describe.concurrent('credential rotate', () => {
  test('gives a new secret, and the old one works until the overlap ends', async () => {
    const shop = await createShop()
    const argv = ['credential', 'rotate', shop.credentialId]
    const { credential: second } = await shop.json([...argv, '--overlap', '3600'])
    expect(second).toEqual({
      id: shop.credentialId,
      token: expect.stringMatching(TOKEN),
      ...parseAccountToken(second.token),
      previousExpiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
    const overlap = Date.parse(second.previousExpiresAt) - Date.now()
    expect(overlap).toBeGreaterThan(3_580_000)
    expect(overlap).toBeLessThanOrEqual(3_600_000)
    expect(await claimBy(shop, shop.token, second.token)).toEqual([0, 0])
    const until = second.previousExpiresAt.replace(/\.\d+Z$/, 'Z')
    const shown = await shop.run(['account', 'show', shop.accountId])
    expect(shown.stdout).toContain('OLD SECRET UNTIL')
    expect(shown.stdout).toMatch(
      new RegExp(`^${shop.credentialId} .* never +never +${until} +read write `, 'm'),
    )

    const path = join(shop.dir, 'third.token')
    const third = await shop.run([...argv, '--overlap', '0', '--token-file', path])
    expect(third.code).toBe(0)
    expect(third.stdout).not.toMatch(/^old secret|cgk_/m)
    expect(await claimBy(shop, shop.token, second.token, readFileSync(path, 'utf8'))).toEqual([1, 1, 0])
    const after = await shop.run(['account', 'show', shop.accountId])
    expect(after.stdout).not.toContain('OLD SECRET UNTIL')
    const standard = await shop.run(argv)
    expect(standard.stdout).toMatch(/^old secret {2}also works until \S+Z \(in 2[34] h\)$/m)
  })

  test('refuses a malformed overlap and an unusable token file, and then rotates nothing', async () => {
    const shop = await createShop()
    const argv = ['credential', 'rotate', shop.credentialId]
    await expectFailure(shop, [...argv, '--overlap', '1h'], [2, 'usage'])
    const human = await shop.run([...argv, '--overlap', '2592001'])
    expect(human.stderr).toMatch(/^ {2}--overlap: must be a whole number of seconds from 0 to 2592000$/m)
    await expectFailure(shop, [...argv, '--token-file', shop.dir], [1, 'conflict'])
    expect(await claimBy(shop, shop.token)).toEqual([0])
    expect(await shop.credentials()).toMatchObject([{ previousExpiresAt: null }])
  })

  test.each([
    [
      ['--overlap', '0'],
      1,
      /the old one has ended: rotate again immediately with \S.* credential rotate \w+\. /,
    ],
    [[], 0, /the old one works until \S+Z, or until you rotate again with \S.* credential rotate \w+\. /],
  ] as const)(
    'says which secrets work when the token file cannot be written: %j',
    async (options, oldCode, text) => {
      const shop = await createShop()
      const path = join(shop.dir, 'tokens', 'shop.token')
      const argv = ['credential', 'rotate', shop.credentialId, ...options]
      const { code, stdout, stderr } = await runOnFullDisk(shop, argv, path)
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(text)
      expect(stderr).toContain('shop.token cannot be read or written (ENOSPC)')
      expect(readdirSync(join(shop.dir, 'tokens'))).toEqual([])
      expect(await claimBy(shop, shop.token)).toEqual([oldCode])
    },
  )

  test('says how to get a secret when the token file of a new credential or account cannot be written', async () => {
    const shop = await createShop()
    const path = join(shop.dir, 'shop.token')
    const lost = await runOnFullDisk(shop, ['credential', 'create', shop.accountId], path)
    expect(lost.stderr).toMatch(/the credential (\w+) was created, .* credential rotate \1 --overlap 0\. /)
    const create = ['account', 'create', '--name', 'x', '--origin', '*']
    const account = await runOnFullDisk(shop, create, path)
    const [, id = ''] =
      /the account acct_\w+ was created, .* credential rotate (\w+) --overlap 0\. /.exec(account.stderr) ?? []
    expect(await claimBy(shop, (await shop.json(['credential', 'rotate', id])).credential.token)).toEqual([0])
  })
})

describe.concurrent('credential revoke', () => {
  test('ends the secret and its tokens permanently', async () => {
    const shop = await createShop()
    const browserToken = await shop.claim()
    const argv = ['credential', 'revoke', shop.credentialId]
    expect(await shop.json(argv)).toEqual({ revoked: shop.credentialId })
    expect(await claimBy(shop, shop.token)).toEqual([1])
    expect(await shop.judge(browserToken)).toBe('token_revoked')
    await expectFailure(shop, argv, [1, 'not_found'])
    await expectFailure(shop, ['credential', 'rotate', shop.credentialId], [1, 'conflict'])
    expect(await shop.credentials()).toMatchObject([{ id: shop.credentialId, status: 'revoked' }])

    const { credential } = await shop.json(['credential', 'create', shop.accountId])
    const human = await shop.run(['credential', 'revoke', credential.id])
    expect([human.code, human.stderr]).toEqual([0, ''])
    expect(human.stdout).toContain('in force in running servers within 2 seconds.\n')
  })
})
