// Mistakes with the command line.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Mistake, testMistakes } from '../support/mistake.ts'
import { createMachine, type Machine } from './run.ts'
import { createShop, ORIGIN } from './shop.ts'

/** What a command prints that fails on this machine. */
async function failToRun(
  machine: Machine,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, stderr } = await machine.run(argv, { env })
  expect(code, stderr).not.toBe(0)
  return stderr
}

/** Arguments that make this Node look like an older one before the program starts. */
const OLD_NODE = [
  '--import',
  `data:text/javascript,${encodeURIComponent(
    "Object.defineProperty(process, 'version', { value: 'v20.20.2' });" +
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })",
  )}`,
]

const mistakes: readonly Mistake[] = [
  {
    mistake: 'a Node that is too old',
    make: async () => {
      const { code, stderr } = await createMachine().start(['account', 'list'], { nodeArguments: OLD_NODE })
      expect(code).toBe(1)
      return stderr
    },
    names: /needs Node 22\.\d+ or later.*, and this is v20/,
    advises: /npm ci/,
  },
  {
    mistake: 'the command line in another folder than the server',
    make: () => failToRun(createMachine({ DATABASE_URL: 'sqlite:data/none.db' }), ['account', 'list']),
    names: /data\/none\.db does not exist/,
    advises: /check DATABASE_URL/,
  },
  {
    mistake: 'a token file that exists',
    make: async () => {
      const machine = createMachine()
      const file = join(machine.dir, 'token')
      writeFileSync(file, 'older')
      return failToRun(machine, [
        'account',
        'create',
        '--name',
        'Shop',
        '--origin',
        ORIGIN,
        '--token-file',
        file,
      ])
    },
    names: /token exists, and may hold the only copy of another secret/,
    advises: /name another file, or pass --force/,
  },
  {
    mistake: 'an account without allowed origins',
    make: () => failToRun(createMachine(), ['account', 'create', '--name', 'Shop']),
    names: /required option '--origin <pattern>' not specified/,
    advises: /see: .*--help/,
  },
  {
    mistake: 'an allowed origin with a path',
    make: () =>
      failToRun(createMachine(), ['account', 'create', '--name', 'Shop', '--origin', `${ORIGIN}/shop`]),
    names: /--origin/,
    advises: /ends after the host or port, like https:/,
  },
  {
    mistake: 'a claim for an origin that the account does not list',
    make: async () => {
      const shop = await createShop()
      return failToRun(shop, ['claim', '--origin', 'https://other.example'], {
        CLAIMGATE_ACCOUNT_TOKEN: shop.token,
      })
    },
    names: /the account does not allow this origin/,
    advises: /see: .*account show/,
  },
  {
    mistake: 'a browser token in place of the account token, on the command line',
    make: async () => {
      const shop = await createShop()
      return failToRun(shop, ['claim', '--origin', ORIGIN], { CLAIMGATE_ACCOUNT_TOKEN: await shop.claim() })
    },
    names: /this is a browser token/,
    advises: /pass the account token, which account create printed/,
  },
  {
    mistake: 'an account token in place of a browser token, on the command line',
    make: async () => {
      const shop = await createShop()
      return failToRun(shop, ['inspect', shop.token])
    },
    names: /this is an account token/,
    advises: /pass a token from a claim/,
  },
]

testMistakes(mistakes)

test('an allowed origin with a slash at its end is no mistake', async () => {
  const machine = createMachine()
  const made = await machine.json(['account', 'create', '--name', 'Shop', '--origin', `${ORIGIN}/`])
  expect(made.account.allowedOrigins).toEqual([ORIGIN])
})
