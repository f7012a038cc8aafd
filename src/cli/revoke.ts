// `revoke`: ends tokens before their time, one of them or all of a credential, an account or a signing key.
// A token that is given is only decoded; nothing of it is printed but its jti.

import type { Command } from 'commander'
import { describeStartFault } from '../adapters/node/environment.ts'
import type { AdminPorts } from '../admin/operation.ts'
import {
  createRevocation,
  parseRevocationInput,
  type RevocationInput,
  toWireRevocation,
  type WireRevocation,
} from '../admin/revocation.ts'
import type { RevocationKind } from '../claims/revocation.ts'
import { parseAccountToken } from '../signing/secret.ts'
import { decodeToken } from '../verify/format.ts'
import { acceptInput, CliError, usageError } from './fault.ts'
import { readConfig, withRecords } from './open.ts'
import { addExample, addJsonOption, onceOption } from './options.ts'
import { commandName, IN_FORCE, print, printJson, printWarning } from './output.ts'
import { readStdinLine } from './stdin.ts'
import { renderTable } from './table.ts'
import { describeIso } from './when.ts'

interface RevokeOptions {
  readonly jti?: string
  readonly client?: string
  readonly account?: string
  readonly kid?: string
  readonly before?: string
  readonly json?: boolean
}

/** Adds the command to the program. */
export function addRevokeCommand(program: Command): void {
  const revoke = addJsonOption(program.command('revoke'))
    .description('end tokens that were made until now: exactly one of a token and these options')
    .argument('[jwt]', 'the token to end, or - to read it from stdin')
    .addOption(onceOption('--jti <id>', 'the token with this jti'))
    .addOption(onceOption('--client <id>', 'all that this credential minted'))
    .addOption(onceOption('--account <id>', 'all that credentials of this account minted'))
    .addOption(
      onceOption('--kid <id>', 'all that this signing key signed; a current key is replaced at once'),
    )
    .addOption(
      onceOption('--before <time>', 'only those made before: ISO 8601 with a zone, or epoch seconds (now)'),
    )
    .addHelpText('after', HELP)
    .action(revokeTokens)
  addExample(revoke, 'revoke --client 4kXo0Qd1TzGm')
}

const HELP = `
New tokens are accepted. To end what makes them: credential revoke, account suspend, account delete.`

const ONE = 'say what to revoke: a token (- for stdin), or one of --jti, --client, --account and --kid'

async function revokeTokens(jwt: string | undefined, options: RevokeOptions): Promise<void> {
  const { jti, client, account, kid, before, json } = options
  if ([jwt, jti, client, account, kid].filter((given) => given !== undefined).length !== 1)
    throw usageError(ONE)
  const config = readConfig()
  const named = jwt === undefined ? { jti, clientId: client, sub: account, kid } : { jti: await readJti(jwt) }
  const now = Date.now()
  const issuedBefore = before !== undefined && /^\d+(\.\d+)?$/.test(before) ? Number(before) : before
  const input = acceptInput(parseRevocationInput({ ...named, issuedBefore }, now))
  await withRecords(config, async (ports) => {
    const isUnknown = await isNowhere(ports, input)
    const created = await createRevocation(ports, input, 'cli', now)
    const revocation = toWireRevocation(created)
    if (created.keyFault !== undefined) printWarning(describeKeyFault(created.keyFault), json === true)
    if (isUnknown) printWarning(UNKNOWN, json === true)
    if (json) printJson({ revocation })
    else print(renderRevocation(input, revocation, now))
  })
}

const UNKNOWN =
  'nothing here has this id now, so check it; the revocation is on record all the same and ends tokens that name it'

function describeKeyFault(fault: unknown): string {
  return `${describeStartFault(fault)}; so the key is still in its folder, and running servers sign with another one`
}

/** The jti of a token that is given as it is, or on stdin. Its signature is not checked: ending a token that is none does no harm. */
async function readJti(argument: string): Promise<string> {
  const token = argument === '-' ? await readStdinLine('token') : argument
  const jti = decodeToken(token)?.payload.jti
  if (typeof jti === 'string') return jti
  const clientId = parseAccountToken(token)?.clientId
  const hint =
    clientId === undefined
      ? 'this is no browser token; pass the token that a claim gave'
      : `this is an account token; end it with ${commandName} credential revoke ${clientId}`
  throw new CliError('invalid_token', hint)
}

/** Whether what is named by its own id is not on record: perhaps deleted, perhaps a typing error. */
async function isNowhere(
  { storage, keyLife }: AdminPorts,
  { kind, value }: RevocationInput,
): Promise<boolean> {
  if (kind === 'client_id') return (await storage.findCredential(value)) === undefined
  if (kind === 'sub') return (await storage.getAccount(value)) === undefined
  if (kind !== 'kid') return false
  // A key can be revoked even when the keys cannot be read.
  const known = await keyLife.list().catch(() => undefined)
  return known !== undefined && !known.some(({ kid }) => kid === value)
}

function renderRevocation(input: RevocationInput, revocation: WireRevocation, now: number): string {
  const facts = renderTable([
    [NAMES[input.kind], input.value],
    ['ended', describeReach(input, revocation, now)],
    ['on record until', describeIso(revocation.expiresAt, now)],
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
  return `its tokens made before ${describeIso(revocation.issuedBefore, now)}`
}
