// `credential …`: secrets of accounts, made, rotated and revoked by the admin API's operations.

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
} from './options.ts'
import { commandName, concealSecret, IN_FORCE, print, printJson } from './output.ts'
import { keepToken, readTextFile } from './token-file.ts'
import { shortenIso } from './when.ts'

interface CreateOptions {
  readonly name?: string
  readonly scope?: readonly string[]
  readonly expires?: string
  readonly browserPrototype?: boolean
  readonly localhost: boolean
  readonly jwksFile?: string
  readonly tokenFile?: string
  readonly json?: boolean
}

interface RotateOptions {
  readonly overlap?: number
  readonly tokenFile?: string
  readonly json?: boolean
}

const HINTS = {
  not_found: `see: ${commandName} account list, then account show <id>`,
  conflict: `see: ${commandName} credential --help`,
}

/** Adds the commands to the program. */
export function addCredentialCommands(program: Command): void {
  const credential = program.command('credential').description("make, rotate and revoke accounts' secrets")
  const create = addJsonOption(credential.command('create <account-id>'))
    .description('give an account another secret, which is shown once, or register public keys')
    .addOption(onceOption('--name <text>', 'what it is for (credential)'))
    .addOption(listOption('--scope <scope>', "some of the account's scopes; repeat for more (all of them)"))
    .addOption(onceOption('--expires <time>', 'when it ends, ISO 8601 with a zone (never)'))
    .option('--browser-prototype', 'let pages on the allowed origins use the secret, for prototypes')
    .option('--no-localhost', 'but not pages on localhost')
    .addOption(
      onceOption(
        '--jwks-file <path>',
        'public keys (JWK Set) that the customer signs with, instead of a secret',
      ),
    )
    .action(makeCredential)
  addTokenFileOption(create)
  addExample(
    create,
    'credential create acct_Zl3kVx0TbQ4 --name "Checkout" --scope read --expires 2030-01-31T12:00:00Z',
  )
  const rotate = addJsonOption(credential.command('rotate <id>'))
    .description('give a credential a new secret, shown once; the old one works on for a while')
    .option(
      '--overlap <seconds>',
      'how long the old secret works too, 0 to 2592000 (86400)',
      parseWholeNumber,
    )
    .action(renewSecret)
  addTokenFileOption(rotate)
  addExample(rotate, 'credential rotate 4kXo0Qd1TzGm --overlap 3600 --token-file shop.token')
  const revoke = addJsonOption(credential.command('revoke <id>'), 'print {"revoked": id}')
    .description('end a credential and the tokens it minted, for good')
    .action(endCredential)
  addExample(revoke, 'credential revoke 4kXo0Qd1TzGm')
}

async function makeCredential(accountId: string, options: CreateOptions): Promise<void> {
  const { name, scope, expires, browserPrototype, localhost, jwksFile, tokenFile, json } = options
  if (jwksFile !== undefined && tokenFile !== undefined) {
    throw usageError(
      'a credential with registered keys has no secret; give either --jwks-file or --token-file',
    )
  }
  const config = readConfig()
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
  await withRecords(config, async (ports) => {
    const { credential } = await keepToken(
      tokenFile,
      async () => {
        const made = await createCredential(ports, accountId, input, 'cli', now)
        return { credential: acceptResult(made, ACCOUNT_HINTS) }
      },
      ({ credential: { id } }) =>
        `the credential ${id} was made, but its token is lost: make another with ${commandName} credential rotate ${id} --overlap 0`,
    )
    if (json) return printJson({ credential: concealSecret(credential, tokenFile) })
    const kept = 'token' in credential ? credential.token : undefined
    print(await renderChanged(ports.storage, credential.id, kept, tokenFile))
  })
}

async function renewSecret(id: string, { overlap, tokenFile, json }: RotateOptions): Promise<void> {
  const input = acceptInput(parseRotationInput({ ...(overlap !== undefined && { overlap }) }))
  await withRecords(readConfig(), async (ports) => {
    const { credential } = await keepToken(
      tokenFile,
      async () => {
        const rotated = await rotateCredential(ports, id, input, 'cli', Date.now())
        return { credential: toWireRotation(acceptResult(rotated, HINTS)) }
      },
      ({ credential }) => describeLostRotation(credential, input.overlap),
    )
    if (json) return printJson({ credential: concealSecret(credential, tokenFile) })
    print(await renderChanged(ports.storage, id, credential.token, tokenFile))
  })
}

function describeLostRotation({ id, previousExpiresAt }: WireRotation, overlap: number): string {
  const again = `${commandName} credential rotate ${id}`
  return overlap === 0
    ? `the secret was rotated, the new one is lost and the old one has ended: rotate again at once with ${again}`
    : `the secret was rotated and the new one is lost; the old one works until ${shortenIso(previousExpiresAt)}, or until you rotate again with ${again}`
}

async function endCredential(id: string, { json }: { readonly json?: boolean }): Promise<void> {
  await withRecords(readConfig(), async (ports) => {
    acceptResult(await revokeCredential(ports, id, 'cli', Date.now()), HINTS)
    if (json) return printJson({ revoked: id })
    print(`The credential ${id} is revoked, and the tokens it minted have ended: ${IN_FORCE}.\n`)
  })
}

/** A credential as it is now, with its new secret where it has one. */
async function renderChanged(
  storage: Storage,
  id: string,
  token: string | undefined,
  tokenFile: string | undefined,
): Promise<string> {
  const found = await storage.findCredential(id)
  if (found === undefined) throw new CliError('not_found', `the credential ${id} was deleted meanwhile`)
  const { account, credential } = found
  const now = Date.now()
  const facts = renderCredential(account.id, toWireCredential(credential, account, now), now)
  const secret = token === undefined ? KEYS_ALONE : renderSecret(token, tokenFile, account.allowedOrigins)
  return `${facts}\n${secret}`
}

const KEYS_ALONE =
  'It has no secret: the customer signs with its own key (private_key_jwt), and the credential is the client_id.\n'

/** A JSON value in a file. What is wrong with it as keys is found later. */
async function readJsonFile(path: string): Promise<unknown> {
  const parsed = parseJson(await readTextFile(path))
  if (!parsed.ok) throw new CliError('invalid_request', `${path} holds no well-formed JSON; name a JWK Set`)
  return parsed.value
}
