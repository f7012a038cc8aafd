// `account …`: the admin API's operations on the configured database.

import type { Command } from 'commander'
import { createCreateAccount, deleteAccount, parseAccountInput, toWireAccount } from '../admin/account.ts'
import { updateAccount } from '../admin/change-account.ts'
import { toWireCredential } from '../admin/credential.ts'
import { UNKNOWN_ACCOUNT } from '../admin/operation.ts'
import { ACCOUNT_ID, cutPage, parsePage } from '../admin/page.ts'
import type { Account } from '../claims/account.ts'
import type { Storage } from '../storage/storage.ts'
import { renderAccount, renderAccounts, renderCredentials, renderSecret } from './account-text.ts'
import { acceptInput, acceptResult, CliError, toCliError, usageError } from './fault.ts'
import { readConfig, withReadRecords, withRecords } from './open.ts'
import {
  addExample,
  addJsonOption,
  addTokenFileOption,
  listOption,
  onceOption,
  parseWholeNumber,
  splitScopes,
} from './options.ts'
import { commandName, concealSecret, IN_FORCE, print, printAside, printJson } from './output.ts'
import { confirm } from './stdin.ts'
import { toPlainText } from './table.ts'
import { keepToken } from './token-file.ts'

interface CreateOptions {
  readonly name: string
  readonly origin: readonly string[]
  readonly scope?: readonly string[]
  readonly maxTtl?: number
  readonly browserPrototype?: boolean
  readonly requireOrigin?: boolean
  readonly tokenFile?: string
  readonly json?: boolean
}

interface ListOptions {
  readonly limit?: string
  readonly cursor?: string
  readonly json?: boolean
}

interface DeleteOptions {
  readonly yes?: boolean
  readonly json?: boolean
}

/** What to do about an id that no account has. */
export const ACCOUNT_HINTS = { not_found: `see: ${commandName} account list` }

/** Adds the commands to the program. */
export function addAccountCommands(program: Command): void {
  const account = program.command('account').description('make, see, suspend and delete accounts')
  const create = addJsonOption(account.command('create'))
    .description("make a customer's account and its secret, which is shown once")
    .addOption(onceOption('--name <text>', 'how you call the customer').makeOptionMandatory())
    .addOption(
      listOption('--origin <pattern>', 'where its tokens may be used; repeat for more').makeOptionMandatory(),
    )
    .addOption(listOption('--scope <scope>', 'what its tokens may be used for; repeat for more'))
    .option('--max-ttl <seconds>', 'longest lifetime of its tokens', parseWholeNumber)
    .option('--browser-prototype', 'let pages on the allowed origins use the secret, for prototypes')
    .option('--require-origin', 'issue no token that is not bound to an origin')
    .action(createAccount)
  addTokenFileOption(create).addHelpText('after', PATTERNS)
  addExample(
    create,
    `account create --name "Shop" --origin https://shop.example --origin 'http://localhost:*'`,
  )
  const list = addJsonOption(account.command('list'))
    .description('list accounts, oldest first')
    .addOption(onceOption('--limit <number>', 'how many, 1 to 200 (50)'))
    .addOption(onceOption('--cursor <cursor>', 'go on after an earlier page'))
    .action(listAccounts)
  addExample(list, 'account list --limit 10')
  const show = addJsonOption(account.command('show <id>'))
    .description('show an account and its credentials')
    .action(showAccount)
  addExample(show, 'account show acct_Zl3kVx0TbQ4')
  const suspend = addJsonOption(account.command('suspend <id>'))
    .description('refuse its secrets and its tokens until it is resumed')
    .action((id, options) => setStatus(id, 'suspended', options))
  addExample(suspend, 'account suspend acct_Zl3kVx0TbQ4')
  const resume = addJsonOption(account.command('resume <id>'))
    .description('accept its secrets again, and those tokens that have not expired')
    .action((id, options) => setStatus(id, 'active', options))
  addExample(resume, 'account resume acct_Zl3kVx0TbQ4')
  const remove = addJsonOption(account.command('delete <id>'), 'print {"deleted": id}')
    .description('delete an account with its credentials, and end its tokens for good')
    .option('--yes', 'do not ask')
    .action(removeAccount)
  addExample(remove, 'account delete acct_Zl3kVx0TbQ4 --yes')
}

const PATTERNS = `
An origin pattern is one of
  https://www.example.com     this origin
  https://*.example.com       every host below example.com
  http://localhost:*          any port (also 127.0.0.1 and [::1])
  capacitor://localhost       an app
  *                           any http(s) origin, alone`

async function createAccount(options: CreateOptions): Promise<void> {
  const { name, origin, scope = [], maxTtl = null, tokenFile } = options
  const { browserPrototype = false, requireOrigin = false } = options
  const config = readConfig()
  const members = { name, allowedOrigins: origin, scopes: splitScopes(scope), maxTtl }
  const value = { ...members, browserPrototype, requireOrigin }
  const input = acceptInput(parseAccountInput(value, config.maxTtl))
  await withRecords(config, async ({ storage, hashSecret }) => {
    const create = createCreateAccount(storage, hashSecret)
    const { account, credential } = await keepToken(
      tokenFile,
      () => create(input, 'cli', Date.now()),
      ({ account, credential }) =>
        `the account ${account.id} was made, but its token is lost: make another with ${commandName} credential rotate ${credential.id} --overlap 0`,
    )
    const wire = toWireAccount(account)
    if (options.json) printJson({ account: wire, credential: concealSecret(credential, tokenFile) })
    else print(`${renderAccount(wire)}\n${renderSecret(credential.token, tokenFile, wire.allowedOrigins)}`)
  })
}

async function listAccounts({ limit, cursor, json }: ListOptions): Promise<void> {
  const query = new URLSearchParams({
    ...(limit !== undefined && { limit }),
    ...(cursor !== undefined && { cursor }),
  })
  const { after, limit: size } = acceptInput(parsePage(`?${query}`, ACCOUNT_ID))
  await withReadRecords(readConfig(), async (storage) => {
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
  await withReadRecords(readConfig(), async (storage) => {
    const account = await readAccount(storage, id)
    const now = Date.now()
    const wire = toWireAccount(account)
    const credentials = (await storage.listCredentials(id)).map((one) => toWireCredential(one, account, now))
    if (json) printJson({ account: wire, credentials })
    else print(`${renderAccount(wire)}\n${renderCredentials(credentials, now)}`)
  })
}

async function setStatus(
  id: string,
  status: Account['status'],
  { json }: { readonly json?: boolean },
): Promise<void> {
  await withRecords(readConfig(), async (ports) => {
    const updated = await updateAccount(ports, id, { status }, 'cli', Date.now())
    const account = toWireAccount(acceptResult(updated, ACCOUNT_HINTS))
    if (json) return printJson({ account })
    print(
      `${renderAccount(account)}\nIts secrets and tokens are ${status === 'active' ? 'accepted again' : 'refused'}: ${IN_FORCE}.\n`,
    )
  })
}

async function removeAccount(id: string, { yes = false, json }: DeleteOptions): Promise<void> {
  if (!yes && !process.stdin.isTTY) {
    throw usageError("deleting ends the account's secrets and tokens for good; say --yes to delete it")
  }
  await withRecords(readConfig(), async (ports) => {
    if (!yes) await askForDeletion(await readAccount(ports.storage, id))
    acceptResult(await deleteAccount(ports, id, 'cli', Date.now()), ACCOUNT_HINTS)
    if (json) return printJson({ deleted: id })
    print(`The account ${id} is deleted, and its secrets and tokens have ended: ${IN_FORCE}.\n`)
  })
}

async function askForDeletion({ id, name }: Account): Promise<void> {
  const question = `Delete the account ${id} (${toPlainText(name)}), and end its secrets and tokens for good?`
  if (!(await confirm(question))) throw new CliError('cancelled', 'nothing was deleted')
}

async function readAccount(storage: Storage, id: string): Promise<Account> {
  const account = await storage.getAccount(id)
  if (account === undefined) throw toCliError(UNKNOWN_ACCOUNT, ACCOUNT_HINTS.not_found)
  return account
}
