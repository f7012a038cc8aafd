// `account …`: the admin API's operations on accounts, on the configured database.

import { type Command, Option } from 'commander'
import { createCreateAccount, deleteAccount, parseAccountInput, toWireAccount } from '../admin/account.ts'
import { parseAccountPatch, updateAccount } from '../admin/change-account.ts'
import { toWireCredential } from '../admin/credential.ts'
import { UNKNOWN_ACCOUNT } from '../admin/operation.ts'
import { ACCOUNT_ID } from '../admin/page.ts'
import type { Account } from '../claims/records/account.ts'
import type { Storage } from '../storage/storage.ts'
import { renderAccount, renderAccounts, renderCredentials, renderSecret } from './account-text.ts'
import { acceptInput, acceptResult, CliError, toCliError, usageError } from './fault.ts'
import { readConfig, withReadRecords, withRecords } from './open.ts'
import {
  addExample,
  addJsonOption,
  addPageOptions,
  addTokenFileOption,
  listOption,
  onceOption,
  type PageOptions,
  parseWholeNumber,
  printListing,
  splitScopes,
  type TokenFileOptions,
} from './options.ts'
import { commandName, IN_FORCE } from './output.ts'
import type { Shell } from './shell.ts'
import { toPlainText } from './table.ts'
import { concealToken, keepToken } from './token-file.ts'

interface CreateOptions extends TokenFileOptions {
  readonly name: string
  readonly origin: readonly string[]
  readonly scope?: readonly string[]
  readonly maxTtl?: number
  readonly browserPrototype?: boolean
  readonly requireOrigin?: boolean
  readonly json?: boolean
}

interface UpdateOptions {
  readonly name?: string
  readonly origin?: readonly string[]
  readonly scope?: readonly string[]
  /** False after `--no-scopes`, otherwise true. */
  readonly scopes: boolean
  readonly maxTtl?: number | 'none'
  readonly browserPrototype?: boolean
  readonly requireOrigin?: boolean
  readonly json?: boolean
}

interface DeleteOptions {
  readonly yes?: boolean
  readonly json?: boolean
}

/** What to do next when there is no account with an id, by the code of the refusal. */
export const ACCOUNT_HINTS = { not_found: `see: ${commandName} account list` }

/** Adds `account create`, `update`, `list`, `show`, `suspend`, `resume` and `delete` to the program. */
export function addAccountCommands(program: Command, shell: Shell): void {
  const account = program.command('account').description('create, change, show, suspend and delete accounts')
  const create = addJsonOption(account.command('create'))
    .description("create a customer's account and its secret, which is shown once")
    .addOption(onceOption('--name <text>', "the customer's name").makeOptionMandatory())
    .addOption(
      listOption(
        '--origin <pattern>',
        'origins that its tokens may be used from; repeat for more',
      ).makeOptionMandatory(),
    )
    .addOption(listOption('--scope <scope>', 'scopes that its tokens may have; repeat for more'))
    .option('--max-ttl <seconds>', 'longest lifetime of its tokens', parseWholeNumber)
    .option('--browser-prototype', 'let pages on the allowed origins use the secret (for prototypes)')
    .option('--require-origin', 'issue no token without an origin')
    .action((options) => createAccount(shell, options))
  addTokenFileOption(create).addHelpText('after', PATTERNS)
  addExample(
    create,
    `account create --name "Shop" --origin https://shop.example --origin 'http://localhost:*'`,
  )
  const update = addJsonOption(account.command('update <id>'))
    .description('change an account; what no option names stays as it is')
    .addOption(onceOption('--name <text>', "the customer's name"))
    .addOption(
      listOption(
        '--origin <pattern>',
        'origins that its tokens may be used from, in place of the present ones; repeat for more',
      ),
    )
    .addOption(
      listOption(
        '--scope <scope>',
        'scopes that its tokens may have, in place of the present ones; repeat for more',
      ),
    )
    .addOption(new Option('--no-scopes', 'its tokens may have no scope').conflicts('scope'))
    .option(
      '--max-ttl <seconds>',
      "longest lifetime of its tokens; none: the server's limit",
      parseOptionalLifetime,
    )
    .option('--browser-prototype', 'let pages on the allowed origins use the secret (for prototypes)')
    .option('--no-browser-prototype', 'let no page use the secret')
    .option('--require-origin', 'issue no token without an origin')
    .option('--no-require-origin', 'issue tokens without an origin too')
    .action((id, options) => changeAccount(shell, id, options))
  update.addHelpText('after', PATTERNS)
  addExample(update, 'account update acct_Zl3kVx0TbQ4 --origin https://shop.example --max-ttl 600')
  const list = addPageOptions(addJsonOption(account.command('list')))
    .description('list accounts, oldest first')
    .action((options) => listAccounts(shell, options))
  addExample(list, 'account list --limit 10')
  const show = addJsonOption(account.command('show <id>'))
    .description('show an account and its credentials')
    .action((id, options) => showAccount(shell, id, options))
  addExample(show, 'account show acct_Zl3kVx0TbQ4')
  const suspend = addJsonOption(account.command('suspend <id>'))
    .description('refuse its secrets and tokens until it is resumed')
    .action((id, options) => setStatus(shell, id, 'suspended', options))
  addExample(suspend, 'account suspend acct_Zl3kVx0TbQ4')
  const resume = addJsonOption(account.command('resume <id>'))
    .description('accept its secrets and its unexpired tokens again')
    .action((id, options) => setStatus(shell, id, 'active', options))
  addExample(resume, 'account resume acct_Zl3kVx0TbQ4')
  const remove = addJsonOption(account.command('delete <id>'), 'print {"deleted": id}')
    .description('delete an account and its credentials, and end its tokens permanently')
    .option('--yes', 'do not ask')
    .action((id, options) => removeAccount(shell, id, options))
  addExample(remove, 'account delete acct_Zl3kVx0TbQ4 --yes')
}

const PATTERNS = `
An origin pattern is one of
  https://www.example.com     this origin only
  https://*.example.com       every subdomain of example.com
  http://localhost:*          every port (also 127.0.0.1 and [::1])
  capacitor://localhost       an app
  *                           every http(s) origin; must be the only pattern`

async function createAccount(shell: Shell, options: CreateOptions): Promise<void> {
  const { name, origin, scope = [], maxTtl = null, tokenFile, force } = options
  const { browserPrototype = false, requireOrigin = false } = options
  const config = readConfig(shell)
  const members = { name, allowedOrigins: origin, scopes: splitScopes(scope), maxTtl }
  const value = { ...members, browserPrototype, requireOrigin }
  const input = acceptInput(parseAccountInput(value, config.maxTtl))
  await withRecords(shell, config, async ({ storage, hashSecret }) => {
    const create = createCreateAccount(storage, hashSecret)
    const { account, credential } = await keepToken(
      { tokenFile, force },
      () => create(input, 'cli', Date.now()),
      ({ account, credential }) =>
        `the account ${account.id} was created, but its token is lost: create another with ${commandName} credential rotate ${credential.id} --overlap 0`,
    )
    const wire = toWireAccount(account)
    if (options.json) shell.printJson({ account: wire, credential: concealToken(credential, tokenFile) })
    else {
      const secret = renderSecret(credential.token, tokenFile, wire.allowedOrigins, shell.bold)
      shell.print(`${renderAccount(wire)}\n${secret}`)
    }
  })
}

async function changeAccount(shell: Shell, id: string, options: UpdateOptions): Promise<void> {
  const { name, origin, scope, scopes, maxTtl, browserPrototype, requireOrigin, json } = options
  const patch = {
    ...(name !== undefined && { name }),
    ...(origin !== undefined && { allowedOrigins: origin }),
    ...(scope !== undefined && { scopes: splitScopes(scope) }),
    ...(!scopes && { scopes: [] }),
    ...(maxTtl !== undefined && { maxTtl: maxTtl === 'none' ? null : maxTtl }),
    ...(browserPrototype !== undefined && { browserPrototype }),
    ...(requireOrigin !== undefined && { requireOrigin }),
  }
  if (Object.keys(patch).length === 0)
    throw usageError(`say what to change; see: ${commandName} account update --help`)
  const config = readConfig(shell)
  const input = acceptInput(parseAccountPatch(patch, config.maxTtl))
  await withRecords(shell, config, async (ports) => {
    const updated = await updateAccount(ports, id, input, 'cli', Date.now())
    const account = toWireAccount(acceptResult(updated, ACCOUNT_HINTS))
    if (json) return shell.printJson({ account })
    shell.print(`${renderAccount(account)}\nThe change is ${IN_FORCE}. ${ISSUED_STAY}\n`)
  })
}

/** Reads a lifetime or `none`. Throws InvalidArgumentError. Commander would replace null by an empty text. */
function parseOptionalLifetime(text: string): number | 'none' {
  return text === 'none' ? text : parseWholeNumber(text)
}

const ISSUED_STAY = `Issued tokens keep what they hold; to end them: ${commandName} revoke --account <id>`

function listAccounts(shell: Shell, options: PageOptions): Promise<void> {
  return printListing(shell, options, {
    command: 'account list',
    idForm: ACCOUNT_ID,
    read: (storage, after, limit) => storage.listAccounts(after, limit),
    timeOf: (account) => account.createdAt,
    toJson: (page) => ({ accounts: page.map(toWireAccount) }),
    toTable: (page) => renderAccounts(page.map(toWireAccount), shell.bold),
    none: `There are no accounts yet. See: ${commandName} account create --help`,
  })
}

async function showAccount(shell: Shell, id: string, { json }: { readonly json?: boolean }): Promise<void> {
  await withReadRecords(shell, readConfig(shell), async (storage) => {
    const account = await readAccount(storage, id)
    const now = Date.now()
    const wire = toWireAccount(account)
    const credentials = (await storage.listCredentials(id)).map((one) => toWireCredential(one, account, now))
    if (json) shell.printJson({ account: wire, credentials })
    else shell.print(`${renderAccount(wire)}\n${renderCredentials(credentials, now, shell.bold)}`)
  })
}

async function setStatus(
  shell: Shell,
  id: string,
  status: Account['status'],
  { json }: { readonly json?: boolean },
): Promise<void> {
  await withRecords(shell, readConfig(shell), async (ports) => {
    const updated = await updateAccount(ports, id, { status }, 'cli', Date.now())
    const account = toWireAccount(acceptResult(updated, ACCOUNT_HINTS))
    if (json) return shell.printJson({ account })
    shell.print(
      `${renderAccount(account)}\nIts secrets and tokens are ${status === 'active' ? 'accepted again' : 'refused'}: ${IN_FORCE}.\n`,
    )
  })
}

async function removeAccount(shell: Shell, id: string, { yes = false, json }: DeleteOptions): Promise<void> {
  if (!yes && !shell.isInteractive) {
    throw usageError("deleting ends the account's secrets and tokens permanently; pass --yes to delete it")
  }
  await withRecords(shell, readConfig(shell), async (ports) => {
    if (!yes) await askForDeletion(shell, await readAccount(ports.storage, id))
    acceptResult(await deleteAccount(ports, id, 'cli', Date.now()), ACCOUNT_HINTS)
    if (json) return shell.printJson({ deleted: id })
    shell.print(`The account ${id} is deleted, and its secrets and tokens have ended: ${IN_FORCE}.\n`)
  })
}

async function askForDeletion(shell: Shell, { id, name }: Account): Promise<void> {
  const question = `Delete the account ${id} (${toPlainText(name)}), and end its secrets and tokens permanently?`
  if (!(await shell.confirm(question))) throw new CliError('cancelled', 'nothing was deleted')
}

async function readAccount(storage: Storage, id: string): Promise<Account> {
  const account = await storage.getAccount(id)
  if (account === undefined) throw toCliError(UNKNOWN_ACCOUNT, ACCOUNT_HINTS.not_found)
  return account
}
