// `credential …`: the admin API's operations on the credentials of accounts, on the configured database.

import type { Command } from 'commander'
import {
  createCredential,
  parseCredentialInput,
  parseRotationInput,
  revokeCredential,
  rotateCredential,
  toWireCredential,
  toWireRotation,
  type WireRotation,
} from '../admin/credential.ts'
import { parseJson } from '../lib/json.ts'
import type { Storage } from '../storage/storage.ts'
import { ACCOUNT_HINTS } from './account.ts'
import { renderCredential, renderSecret } from './account-text.ts'
import { acceptInput, acceptResult, CliError, usageError } from './fault.ts'
import { readConfig, withRecords } from './open.ts'
import {
  addExample,
  addJsonOption,
  addTokenFileOption,
  listOption,
  onceOption,
  parseWholeNumber,
  splitScopes,
  type TokenFileOptions,
} from './options.ts'
import { commandName, IN_FORCE } from './output.ts'
import type { Shell } from './shell.ts'
import type { Emphasis } from './table.ts'
import { concealToken, keepToken, readTextFile } from './token-file.ts'
import { shortenIso } from './when.ts'

interface CreateOptions extends TokenFileOptions {
  readonly name?: string
  readonly scope?: readonly string[]
  readonly expires?: string
  readonly browserPrototype?: boolean
  readonly localhost: boolean
  readonly jwksFile?: string
  readonly json?: boolean
}

interface RotateOptions extends TokenFileOptions {
  readonly overlap?: number
  readonly json?: boolean
}

const HINTS = {
  not_found: `see: ${commandName} account list, then account show <id>`,
  conflict: `see: ${commandName} credential --help`,
}

/** Adds `credential create`, `rotate` and `revoke` to the program. */
export function addCredentialCommands(program: Command, shell: Shell): void {
  const credential = program.command('credential').description("create, rotate and revoke accounts' secrets")
  const create = addJsonOption(credential.command('create <account-id>'))
    .description('give an account another secret, which is shown once, or register public keys')
    .addOption(onceOption('--name <text>', 'a name for people (default: credential)'))
    .addOption(
      listOption('--scope <scope>', "some of the account's scopes; repeat for more (default: all of them)"),
    )
    .addOption(onceOption('--expires <time>', 'when it expires, ISO 8601 with a zone (default: never)'))
    .option('--browser-prototype', 'let pages on the allowed origins use the secret (for prototypes)')
    .option('--no-localhost', 'with --browser-prototype: do not let pages on localhost use the secret')
    .addOption(
      onceOption(
        '--jwks-file <path>',
        'register the public keys (JWK Set) that the customer signs with, instead of a secret',
      ),
    )
    .action((accountId, options) => makeCredential(shell, accountId, options))
  addTokenFileOption(create)
  addExample(
    create,
    'credential create acct_Zl3kVx0TbQ4 --name "Checkout" --scope read --expires 2030-01-31T12:00:00Z',
  )
  const rotate = addJsonOption(credential.command('rotate <id>'))
    .description('give a credential a new secret, shown once; the old secret works for a while')
    .option(
      '--overlap <seconds>',
      'how long the old secret still works, 0 to 2592000 (default: 86400)',
      parseWholeNumber,
    )
    .action((id, options) => renewSecret(shell, id, options))
  addTokenFileOption(rotate)
  addExample(rotate, 'credential rotate 4kXo0Qd1TzGm --overlap 3600 --token-file shop.token')
  const revoke = addJsonOption(credential.command('revoke <id>'), 'print {"revoked": id}')
    .description('end a credential and all its tokens permanently')
    .action((id, options) => endCredential(shell, id, options))
  addExample(revoke, 'credential revoke 4kXo0Qd1TzGm')
}

async function makeCredential(shell: Shell, accountId: string, options: CreateOptions): Promise<void> {
  const { name, scope, expires, browserPrototype, localhost, jwksFile, tokenFile, force, json } = options
  if (jwksFile !== undefined && tokenFile !== undefined) {
    throw usageError(
      'a credential with registered keys has no secret; pass either --jwks-file or --token-file',
    )
  }
  const config = readConfig(shell)
  const value = {
    ...(name !== undefined && { name }),
    ...(scope !== undefined && { scopes: splitScopes(scope) }),
    ...(expires !== undefined && { expiresAt: expires }),
    ...(browserPrototype && { browserPrototype }),
    allowLocalhost: localhost,
    ...(jwksFile !== undefined && { jwks: await readJsonFile(jwksFile) }),
  }
  const now = Date.now()
  const input = acceptInput(parseCredentialInput(value, now))
  await withRecords(shell, config, async (ports) => {
    const { credential } = await keepToken(
      { tokenFile, force },
      async () => {
        const made = await createCredential(ports, accountId, input, 'cli', now)
        return { credential: acceptResult(made, ACCOUNT_HINTS) }
      },
      ({ credential: { id } }) =>
        `the credential ${id} was created, but its token is lost: create another with ${commandName} credential rotate ${id} --overlap 0`,
    )
    if (json) return shell.printJson({ credential: concealToken(credential, tokenFile) })
    const kept = 'token' in credential ? credential.token : undefined
    shell.print(await renderChanged(ports.storage, credential.id, kept, tokenFile, shell.bold))
  })
}

async function renewSecret(
  shell: Shell,
  id: string,
  { overlap, tokenFile, force, json }: RotateOptions,
): Promise<void> {
  const input = acceptInput(parseRotationInput({ ...(overlap !== undefined && { overlap }) }))
  await withRecords(shell, readConfig(shell), async (ports) => {
    const { credential } = await keepToken(
      { tokenFile, force },
      async () => {
        const rotated = await rotateCredential(ports, id, input, 'cli', Date.now())
        return { credential: toWireRotation(acceptResult(rotated, HINTS)) }
      },
      ({ credential }) => describeLostRotation(credential, input.overlap),
    )
    if (json) return shell.printJson({ credential: concealToken(credential, tokenFile) })
    shell.print(await renderChanged(ports.storage, id, credential.token, tokenFile, shell.bold))
  })
}

function describeLostRotation({ id, previousExpiresAt }: WireRotation, overlap: number): string {
  const again = `${commandName} credential rotate ${id}`
  return overlap === 0
    ? `the secret was rotated, the new one is lost and the old one has ended: rotate again immediately with ${again}`
    : `the secret was rotated and the new one is lost; the old one works until ${shortenIso(previousExpiresAt)}, or until you rotate again with ${again}`
}

async function endCredential(shell: Shell, id: string, { json }: { readonly json?: boolean }): Promise<void> {
  await withRecords(shell, readConfig(shell), async (ports) => {
    acceptResult(await revokeCredential(ports, id, 'cli', Date.now()), HINTS)
    if (json) return shell.printJson({ revoked: id })
    shell.print(`The credential ${id} is revoked, and its tokens have ended: ${IN_FORCE}.\n`)
  })
}

/** The credential as it is now, and its new secret if it has one. Rejects with CliError when it does not exist any more. */
async function renderChanged(
  storage: Storage,
  id: string,
  token: string | undefined,
  tokenFile: string | undefined,
  bold: Emphasis,
): Promise<string> {
  const found = await storage.findCredential(id)
  if (found === undefined)
    throw new CliError('not_found', `the credential ${id} has been deleted by someone else`)
  const { account, credential } = found
  const now = Date.now()
  const facts = renderCredential(account.id, toWireCredential(credential, account, now), now)
  const secret =
    token === undefined ? KEYS_ALONE : renderSecret(token, tokenFile, account.allowedOrigins, bold)
  return `${facts}\n${secret}`
}

const KEYS_ALONE =
  'It has no secret: the customer signs with its own key (private_key_jwt), and the id of the credential is the client_id.\n'

/** Reads a JSON file. Rejects with CliError when it is not JSON. Not checked: whether it is a JWK Set. */
async function readJsonFile(path: string): Promise<unknown> {
  const parsed = parseJson(await readTextFile(path))
  if (!parsed.ok)
    throw new CliError('invalid_request', `${path} is not well-formed JSON; name a file with a JWK Set`)
  return parsed.value
}
