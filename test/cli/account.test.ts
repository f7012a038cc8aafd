// `account create`, `list` and `show`.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { keepToken } from '../../src/cli/token-file.ts'
import { parseAccountToken } from '../../src/signing/secret.ts'
import { countOf, createDatabase, createMachine, readDatabase } from './run.ts'

const CREATE = ['account', 'create', '--name', 'Shop', '--origin', 'https://Shop.Example:443']
const TOKEN = /cgk_[0-9A-Za-z]+_[0-9A-Za-z]+_[0-9A-Za-z]{6}/

describe('account create', () => {
  test('shows the secret once, says so, and names the next command', async () => {
    const machine = createMachine()
    const { code, stdout, stderr } = await machine.run(CREATE)
    expect(code).toBe(0)
    expect(stderr).toBe('')
    const token = TOKEN.exec(stdout)?.[0] ?? ''
    const pair = parseAccountToken(token)
    expect(pair).toBeDefined()
    expect(countOf(stdout, pair!.clientSecret)).toBe(1)
    expect(stdout).toContain('never again')
    expect(stdout).toContain('  $ npm run -s claimgate -- claim --origin https://shop.example -\n')
    expect(stdout).not.toContain('\x1b')
    const database = readDatabase(machine.dir)
    expect(database).toContain(pair!.clientId)
    expect(database).not.toContain(pair!.clientSecret)
  })

  test("prints the admin API's body with --json", async () => {
    const machine = createMachine()
    const body = await machine.json([
      ...CREATE,
      ...['--origin', 'http://localhost:*', '--scope', 'read write', '--scope', 'read', '--scope', 'pay'],
      ...['--max-ttl', '600', '--browser-prototype', '--require-origin'],
    ])
    expect(body).toEqual({
      account: {
        id: expect.stringMatching(/^acct_[0-9A-Za-z]{11}$/),
        name: 'Shop',
        status: 'active',
        allowedOrigins: ['https://shop.example', 'http://localhost:*'],
        scopes: ['read', 'write', 'pay'],
        maxTtl: 600,
        browserPrototype: true,
        requireOrigin: true,
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        updatedAt: body.account.createdAt,
      },
      credential: {
        id: body.credential.clientId,
        token: expect.stringMatching(TOKEN),
        ...parseAccountToken(body.credential.token),
      },
    })
    expect(readDatabase(machine.dir)).not.toContain(body.credential.clientSecret)
  })

  test('writes the token to a file with mode 0600, replaces a file only with --force, and prints the token nowhere', async () => {
    const machine = createMachine()
    const folder = join(machine.dir, 'new folder')
    const path = join(folder, 'shop.token')
    const shown = await machine.run([...CREATE, '--token-file', path])
    expect(shown.code).toBe(0)
    const token = readFileSync(path, 'utf8')
    const first = parseAccountToken(token)
    expect(first).toBeDefined()
    expect(shown.stdout + shown.stderr).not.toContain(first!.clientSecret)
    expect(shown.stdout).toContain(`claim --origin https://shop.example --token-file '${path}'\n`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(folder).mode & 0o777).toBe(0o700)

    const refused = await machine.run([...CREATE, '--token-file', path])
    expect([refused.code, refused.stdout]).toEqual([1, ''])
    expect(refused.stderr).toMatch(/shop\.token exists.*--force/)
    expect(readFileSync(path, 'utf8')).toBe(token)
    expect((await machine.json(['account', 'list'])).accounts).toHaveLength(1)

    const body = await machine.json([...CREATE, '--token-file', path, '--force'])
    const second = parseAccountToken(readFileSync(path, 'utf8'))
    expect(body.credential).toEqual({ id: second?.clientId, clientId: second?.clientId })
    expect(second?.clientId).not.toBe(first?.clientId)
    expect(readdirSync(folder)).toEqual(['shop.token'])
  })

  test('does not follow or replace a link to a missing file, nor a file that appears meanwhile', async () => {
    const machine = createMachine()
    const dangling = join(machine.dir, 'link')
    symlinkSync(join(machine.dir, 'nowhere'), dangling)
    const { code, stderr } = await machine.run([...CREATE, '--token-file', dangling])
    expect([code, stderr]).toEqual([1, expect.stringContaining(`${dangling} exists`)])

    const path = join(machine.dir, 'late')
    const make = async () => {
      writeFileSync(path, 'of another process')
      return { credential: { id: 'c', token: 'cgk_new' } }
    }
    const late = keepToken({ tokenFile: path }, make, () => 'the token is lost')
    await expect(late).rejects.toThrow(/^the token is lost\. .*late exists/)
    expect(readFileSync(path, 'utf8')).toBe('of another process')
    expect(readdirSync(machine.dir).sort()).toEqual(['claimgate.db', 'late', 'link'])
  })

  test('creates no account when the token file cannot be written', async () => {
    const machine = createMachine()
    const folder = join(machine.dir, 'a-folder')
    mkdirSync(folder)
    writeFileSync(join(machine.dir, 'a-file'), 'kept')
    for (const path of [folder, join(machine.dir, 'a-file', 'shop.token'), '-']) {
      const { code, stderr } = await machine.run([...CREATE, '--token-file', path])
      expect([path, code]).toEqual([path, path === '-' ? 2 : 1])
      expect(stderr).toMatch(path === '-' ? /name of a file/ : /is not a file|cannot be read or written/)
    }
    expect((await machine.json(['account', 'list'])).accounts).toEqual([])
    expect(readdirSync(folder)).toEqual([])
    expect(readFileSync(join(machine.dir, 'a-file'), 'utf8')).toBe('kept')
  })

  test('leaves an older token file unchanged when the account cannot be created', async () => {
    const machine = createMachine()
    await createDatabase(machine)
    const database = new DatabaseSync(join(machine.dir, 'claimgate.db'))
    database.exec("CREATE TRIGGER no BEFORE INSERT ON accounts BEGIN SELECT RAISE(ABORT, 'no'); END")
    database.close()
    const folder = join(machine.dir, 'tokens')
    mkdirSync(folder)
    writeFileSync(join(folder, 'shop.token'), 'older')
    const { code, stdout } = await machine.run([
      ...CREATE,
      '--token-file',
      join(folder, 'shop.token'),
      '--force',
    ])
    expect([code, stdout]).toEqual([1, ''])
    expect(readdirSync(folder)).toEqual(['shop.token'])
    expect(readFileSync(join(folder, 'shop.token'), 'utf8')).toBe('older')
  })

  test('reports every fault of an account together, and creates no database', async () => {
    const machine = createMachine()
    const argv = [
      'account',
      'create',
      '--name',
      '',
      '--origin',
      'https://*.com',
      '--scope',
      'a"b',
      '--max-ttl',
      '9',
    ]
    const human = await machine.run(argv)
    expect(human.code).toBe(1)
    expect(human.stdout).toBe('')
    for (const flag of ['--name', '--origin', '--scope', '--max-ttl'])
      expect(human.stderr).toMatch(new RegExp(`^  ${flag}: \\S`, 'm'))
    const { code, stderr } = await machine.run([...argv, '--json'])
    expect(code).toBe(1)
    const body = JSON.parse(stderr)
    expect(body).toEqual({ error: 'invalid_request', message: expect.any(String), errors: expect.any(Array) })
    expect(body.errors.map((fault: { parameter: string }) => fault.parameter)).toEqual([
      'name',
      'allowedOrigins',
      'scopes.0',
      'maxTtl',
    ])
    expect(existsSync(join(machine.dir, 'claimgate.db'))).toBe(false)
  })

  test('quotes an origin that a shell would split in the next command', async () => {
    const { stdout } = await createMachine().run([
      'account',
      'create',
      '--name',
      'x',
      '--origin',
      "https://a;b'c$d.example",
    ])
    expect(stdout).toContain(`claim --origin 'https://a;b'\\''c$d.example' -\n`)
  })
})

describe('account list and show', () => {
  test('pages through accounts, oldest first, and shows one', async () => {
    const machine = createMachine()
    await createDatabase(machine)
    const empty = await machine.run(['account', 'list'])
    expect([empty.code, empty.stdout]).toEqual([0, ''])
    expect(empty.stderr).toContain('account create')

    const names = ['first', 'second\x1b[31m\u202e', 'third']
    const ids: string[] = []
    for (const name of names) {
      const argv = [
        'account',
        'create',
        '--name',
        name,
        '--origin',
        'https://*.example.com',
        '--origin',
        'http://[::1]:*',
      ]
      ids.push((await machine.json(argv)).account.id)
    }
    const one = await machine.json(['account', 'list', '--limit', '2'])
    const two = await machine.json(['account', 'list', '--limit', '2', '--cursor', one.nextCursor])
    expect([...one.accounts, ...two.accounts].map((account) => [account.id, account.name])).toEqual(
      ids.map((id, index) => [id, names[index]]),
    )
    expect([one.accounts.length, two.nextCursor]).toEqual([2, null])

    const table = await machine.run(['account', 'list', '--limit', '2'])
    const [head = '', ...rows] = table.stdout.trimEnd().split('\n')
    expect(rows.map((row) => row.indexOf('https://*.example.com and 1 more'))).toEqual(
      rows.map(() => head.indexOf('ORIGINS')),
    )
    expect(rows[1]).toMatch(/ second\?\[31m\?$/)
    expect(table.stderr).toContain(`account list --limit 2 --cursor ${one.nextCursor}\n`)

    const shown = await machine.json(['account', 'show', ids[1] ?? ''])
    expect(shown).toEqual({
      account: one.accounts[1],
      credentials: [
        {
          id: expect.stringMatching(/^[0-9A-Za-z]+$/),
          name: 'default',
          status: 'active',
          scopes: [],
          browserPrototype: false,
          allowLocalhost: true,
          createdAt: one.accounts[1].createdAt,
          lastUsedAt: null,
          expiresAt: null,
          previousExpiresAt: null,
        },
      ],
    })
    const text = await machine.run(['account', 'show', ids[1] ?? ''])
    expect(text.stdout).toContain('origins         https://*.example.com, http://[::1]:*\n')
    expect(text.stdout).toContain('without origin  tokens are issued\n')
    expect(text.stdout).toMatch(new RegExp(`^${shown.credentials[0].id} +active `, 'm'))
  })

  test('refuses unknown ids, and malformed limits and cursors', async () => {
    const machine = createMachine()
    await createDatabase(machine)
    const cases = [
      [['account', 'show', 'acct_nobody'], 'not_found', undefined],
      [['account', 'list', '--limit', '201'], 'invalid_request', ['limit']],
      [['account', 'list', '--limit', '0', '--cursor', 'x'], 'invalid_request', ['limit', 'cursor']],
    ] as const
    for (const [argv, error, parameters] of cases) {
      const { code, stdout, stderr } = await machine.run([...argv, '--json'])
      const body = JSON.parse(stderr)
      expect([code, stdout, body.error]).toEqual([1, '', error])
      expect(body.errors?.map((fault: { parameter: string }) => fault.parameter)).toEqual(parameters)
    }
  })
})
