// `revoke` ends tokens before they expire: one token, or all tokens of a credential, an account or a signing key.
// `revocation list` shows the revocations in force.
// A token in the argument is decoded but not verified. Of its content only the jti is printed.

import type { Command } from 'commander'
import { describeStartFault } from '../adapters/node/environment.ts'
import type { AdminPorts } from '../admin/operation.ts'
import { REVOCATION_ID } from '../admin/page.ts'
import {
  createRevocation,
  parseRevocationInput,
  type RevocationInput,
  toListedRevocation,
  toWireRevocation,
  type WireRevocation,
} from '../admin/revocation.ts'
import type { Revocation, RevocationKind } from '../claims/records/revocation.ts'
import { parseAccountToken } from '../signing/secret.ts'
import { decodeToken } from '../verify/format.ts'
import { acceptInput, CliError, usageError } from './fault.ts'
import { readConfig, withRecords } from './open.ts'
import {
  addExample,
  addJsonOption,
  addPageOptions,
  onceOption,
  type PageOptions,
  printListing,
} from './options.ts'
import { commandName, IN_FORCE } from './output.ts'
import type { Shell } from './shell.ts'
import { type Emphasis, renderTable } from './table.ts'
import { describeIso, shortenIso } from './when.ts'

interface RevokeOptions {
  readonly jti?: string
  readonly client?: string
  readonly account?: string
  readonly kid?: string
  readonly before?: string
  readonly json?: boolean
}

/** Adds `revoke` and `revocation list` to the program. */
export function addRevocationCommands(program: Command, shell: Shell): void {
  const revoke = addJsonOption(program.command('revoke'))
    .description(
      'end tokens that were issued until now; pass a token, or exactly one of --jti, --client, --account, --kid',
    )
    .argument('[jwt]', 'the token to end, or - to read it from stdin')
    .addOption(onceOption('--jti <id>', 'the token with this jti'))
    .addOption(onceOption('--client <id>', 'all tokens of this credential'))
    .addOption(onceOption('--account <id>', 'all tokens of this account'))
    .addOption(
      onceOption(
        '--kid <id>',
        'all tokens that this signing key signed; a current key is replaced immediately',
      ),
    )
    .addOption(
      onceOption(
        '--before <time>',
        'only tokens issued before this time: ISO 8601 with a zone, or epoch seconds (default: now)',
      ),
    )
    .addHelpText('after', HELP)
    .action((jwt, options) => revokeTokens(shell, jwt, options))
  addExample(revoke, 'revoke --client 4kXo0Qd1TzGm')
  const revocation = program.command('revocation').description('list revocations; revoke makes them')
  const list = addPageOptions(addJsonOption(revocation.command('list'), LIST_AS_JSON))
    .description('list the revocations in force, newest first; also those by suspensions and deletions')
    .action((options) => listRevocations(shell, options))
  addExample(list, 'revocation list --limit 10')
}

const LIST_AS_JSON =
  'print {"revocations": […], "nextCursor": …}, each as the admin API answers when it is made'

const HELP = `
Tokens that are issued later are accepted. To stop issuing: credential revoke, account suspend, account delete.`

const ONE = 'say what to revoke: a token (- for stdin), or one of --jti, --client, --account and --kid'

async function revokeTokens(shell: Shell, jwt: string | undefined, options: RevokeOptions): Promise<void> {
  const { jti, client, account, kid, before, json } = options
  if ([jwt, jti, client, account, kid].filter((given) => given !== undefined).length !== 1)
    throw usageError(ONE)
  const config = readConfig(shell)
  const named =
    jwt === undefined ? { jti, clientId: client, sub: account, kid } : { jti: await readJti(shell, jwt) }
  const now = Date.now()
  const issuedBefore = before !== undefined && /^\d+(\.\d+)?$/.test(before) ? Number(before) : before
  const input = acceptInput(parseRevocationInput({ ...named, issuedBefore }, now))
  await withRecords(shell, config, async (ports) => {
    const isUnknown = await hasUnknownId(ports, input)
    const created = await createRevocation(ports, input, 'cli', now)
    const revocation = toWireRevocation(created)
    if (created.keyFault !== undefined) shell.printWarning(describeKeyFault(created.keyFault))
    if (isUnknown) shell.printWarning(UNKNOWN)
    if (json) shell.printJson({ revocation })
    else shell.print(renderRevocation(input, revocation, now))
  })
}

function listRevocations(shell: Shell, options: PageOptions): Promise<void> {
  const now = Date.now()
  return printListing(shell, options, {
    command: 'revocation list',
    idForm: REVOCATION_ID,
    read: (storage, after, limit) => storage.listRevocations(after, limit, now),
    timeOf: ({ createdAt }) => createdAt,
    toJson: (page) => ({ revocations: page.map(toListedRevocation) }),
    toTable: (page) => renderRevocations(page, now, shell.bold),
    none: 'No revocation is in force.',
  })
}

/** A table of revocations, one per line; an empty text when there are none. `now` is epoch milliseconds. */
function renderRevocations(revocations: readonly Revocation[], now: number, bold: Emphasis): string {
  if (revocations.length === 0) return ''
  const rows = revocations.map((revocation) => {
    const { kind, value, account } = revocation
    const { id, createdAt, issuedBefore, expiresAt } = toListedRevocation(revocation)
    return [
      shortenIso(createdAt),
      account === null ? `${NAMES[kind]} ${value}` : `${NAMES[kind]} ${value} of account ${account}`,
      kind === 'jti' || kind === 'kid' ? 'any time' : shortenIso(issuedBefore),
      describeIso(expiresAt, now),
      id,
    ]
  })
  return renderTable([['MADE', 'ENDS TOKENS OF', 'ISSUED BEFORE', 'UNTIL', 'REVOCATION'], ...rows], bold)
}

const UNKNOWN =
  'no record has this id, so check it; the revocation is recorded all the same, and ends tokens with this id'

function describeKeyFault(fault: unknown): string {
  return `${describeStartFault(fault)}; the key is therefore still in its folder, but running servers sign with another one`
}

/**
 * The jti of a token: `argument`, or the first line of stdin when that is `-`. The signature is not checked, because
 * revoking the jti of a forged token does no harm. Rejects with CliError when it is not a browser token.
 */
async function readJti(shell: Shell, argument: string): Promise<string> {
  const token = argument === '-' ? await shell.readLine('token') : argument
  const jti = decodeToken(token)?.payload.jti
  if (typeof jti === 'string') return jti
  const clientId = parseAccountToken(token)?.clientId
  const hint =
    clientId === undefined
      ? 'this is not a browser token; pass a token from a claim'
      : `this is an account token; end it with ${commandName} credential revoke ${clientId}`
  throw new CliError('invalid_token', hint)
}

/** Whether no record has the id: it may be mistyped, or its record deleted. False for a jti: tokens are not stored. */
async function hasUnknownId(
  { storage, keyLife }: AdminPorts,
  { kind, value }: RevocationInput,
): Promise<boolean> {
  if (kind === 'client_id') return (await storage.findCredential(value)) === undefined
  if (kind === 'sub') return (await storage.getAccount(value)) === undefined
  if (kind !== 'kid') return false
  // A key can be revoked even while the key store cannot be read.
  const known = await keyLife.list().catch(() => undefined)
  return known !== undefined && !known.some(({ kid }) => kid === value)
}

function renderRevocation(input: RevocationInput, revocation: WireRevocation, now: number): string {
  const facts = renderTable([
    [NAMES[input.kind], input.value],
    ['ended', describeReach(input, revocation, now)],
    ['recorded until', describeIso(revocation.expiresAt, now)],
  ])
  return `${facts}\nThe revocation is ${IN_FORCE}.\n`
}

const NAMES: Readonly<Record<RevocationKind, string>> = {
  jti: 'token',
  client_id: 'credential',
  sub: 'account',
  kid: 'signing key',
}

function describeReach({ kind }: RevocationInput, revocation: WireRevocation, now: number): string {
  if (kind === 'jti') return 'this token'
  if (kind === 'kid') return 'all its tokens'
  return `its tokens issued before ${describeIso(revocation.issuedBefore, now)}`
}
