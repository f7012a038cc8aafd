// `account create`, `account list`, `account show`: the admin API's operations on the configured database.

import type { Command } from 'commander'
import { createCreateAccount } from '../admin/accounts.ts'
import { ACCOUNT_ID, cutPage, parsePage } from '../admin/page.ts'
import { parseAccountInput } from '../admin/parse.ts'
import { toWireAccount, toWireCredential } from '../admin/wire.ts'
import { invalidParameters } from '../http/problem.ts'
import { renderAccount, renderAccounts, renderCreated, renderCredentials } from './account-text.ts'
import { CliError, toCliError } from './fault.ts'
import { readConfig, withRecords } from './open.ts'
import { addJsonOption, listOption, onceOption, parseWholeNumber } from './options.ts'
import { commandName, print, printAside, printJson } from './output.ts'
import { prepareTokenFile } from './token-file.ts'

interface CreateOptions {
  readonly name: string
  readonly origin: readonly string[]
  readonly scope?: readonly string[]
  readonly maxTtl?: number
  readonly browserPrototype?: boolean
  readonly tokenFile?: string
  readonly json?: boolean
}

interface ListOptions {
  readonly limit?: string
  readonly cursor?: string
  readonly json?: boolean
}

/** Adds the commands to the program. */
export function addAccountCommands(program: Command): void {
  const account = program.command('account').description('make and see accounts')
  addJsonOption(account.command('create'))
    .description("make a customer's account and its secret, which is shown once")
    .addOption(onceOption('--name <text>', 'how you call the customer').makeOptionMandatory())
    .addOption(
      listOption('--origin <pattern>', 'where its tokens may be used; repeat for more').makeOptionMandatory(),
    )
    .addOption(listOption('--scope <scope>', 'what its tokens may be used for; repeat for more'))
    .option('--max-ttl <seconds>', 'longest lifetime of its tokens', parseWholeNumber)
    .option('--browser-prototype', 'let pages on the allowed origins use the secret, for prototypes')
    .addOption(onceOption('--token-file <path>', 'keep the account token there instead of printing it'))
    .addHelpText('after', CREATE_HELP)
    .action(createAccount)
  addJsonOption(account.command('list'))
    .description('list accounts, oldest first')
    .addOption(onceOption('--limit <number>', 'how many, 1 to 200 (50)'))
    .addOption(onceOption('--cursor <cursor>', 'go on after an earlier page'))
    .action(listAccounts)
  addJsonOption(account.command('show <id>'))
    .description('show an account and its credentials')
    .action(showAccount)
}

const CREATE_HELP = `
An origin pattern is one of
  https://www.example.com     this origin
  https://*.example.com       every host below example.com
  http://localhost:*          any port (also 127.0.0.1 and [::1])
  capacitor://localhost       an app
  *                           any http(s) origin, alone

Example:
  $ ${commandName} account create --name "Shop" --origin https://shop.example --origin 'http://localhost:*'`

async function createAccount(options: CreateOptions): Promise<void> {
  const { name, origin, scope = [], maxTtl = null, browserPrototype = false } = options
  const scopes = scope.flatMap((text) => text.split(' '))
  const config = readConfig()
  const value = { name, allowedOrigins: origin, scopes, maxTtl, browserPrototype }
  const input = parseAccountInput(value, config.maxTtl)
  if (!input.ok) throw toCliError(invalidParameters(input.reason))
  await withRecords(config, async ({ storage, hashSecret }) => {
    const file = options.tokenFile === undefined ? undefined : await prepareTokenFile(options.tokenFile)
    try {
      const created = await createCreateAccount(storage, hashSecret)(input.value, 'cli', Date.now())
      await file?.save(created.credential.token).catch((error: unknown) => {
        const why = error instanceof Error ? error.message : ''
        throw new CliError('unavailable', `the account was made, but its token is lost: make another. ${why}`)
      })
      const wire = toWireAccount(created.account)
      const { id, clientId } = created.credential
      if (!options.json) print(renderCreated(wire, created.credential, options.tokenFile))
      else
        printJson({ account: wire, credential: file === undefined ? created.credential : { id, clientId } })
    } finally {
      await file?.discard()
    }
  })
}

async function listAccounts({ limit, cursor, json }: ListOptions): Promise<void> {
  const query = new URLSearchParams({
    ...(limit !== undefined && { limit }),
    ...(cursor !== undefined && { cursor }),
  })
  const asked = parsePage(`?${query}`, ACCOUNT_ID)
  if (!asked.ok) throw toCliError(invalidParameters(asked.reason))
  const { after, limit: size } = asked.value
  await withRecords(readConfig(), async ({ storage }) => {
    const records = await storage.listAccounts(after, size + 1)
    const { page, nextCursor } = cutPage(records, size, (account) => account.createdAt)
    const accounts = page.map(toWireAccount)
    if (json) return printJson({ accounts, nextCursor })
    print(renderAccounts(accounts))
    if (nextCursor !== null) {
      const sameSize = limit === undefined ? '' : ` --limit ${size}`
      printAside(`\nMore:\n  $ ${commandName} account list${sameSize} --cursor ${nextCursor}\n`)
    } else if (accounts.length === 0) {
      printAside(`There are no accounts yet. See: ${commandName} account create --help\n`)
    }
  })
}

async function showAccount(id: string, { json }: { readonly json?: boolean }): Promise<void> {
  await withRecords(readConfig(), async ({ storage }) => {
    const account = await storage.getAccount(id)
    if (account === undefined) {
      throw new CliError('not_found', `there is no account with this id; see: ${commandName} account list`)
    }
    const now = Date.now()
    const wire = toWireAccount(account)
    const credentials = (await storage.listCredentials(account.id)).map((one) =>
      toWireCredential(one, account, now),
    )
    if (json) printJson({ account: wire, credentials })
    else print(`${renderAccount(wire)}\n${renderCredentials(credentials)}`)
  })
}
