// `claim`: does what POST /auth/claim does, with the same code in the same order, on the configured database and keys. The
// database is only read; signing keys are created if there are none.
// The account token comes from the environment, a file or stdin; as an argument it is refused.

import { type Command, Option } from 'commander'
import { LOST_KEYS } from '../adapters/node/banner.ts'
import { openKeys, openSecretHash, type Records } from '../adapters/node/open.ts'
import { splitIpList } from '../claims/ip.ts'
import { isJwtShaped } from '../claims/jws.ts'
import { lifetimeLimits } from '../claims/lifetime.ts'
import type { Config } from '../config/config.ts'
import { createAuthenticate } from '../issue/authenticate.ts'
import { formatClaimAnswer, parseClaimParameters } from '../issue/claim-wire.ts'
import { authorizeGrant, createSignGrant, type IssuedToken, type PolicyFault } from '../issue/issue.ts'
import { createSignCurrent } from '../issue/sign-current.ts'
import type { Parameters } from '../issue/sources.ts'
import { after, ok } from '../lib/result.ts'
import { parseAccountToken } from '../signing/secret.ts'
import { createCachedStorage } from '../storage/cached.ts'
import { acceptInput, CliError, usageError } from './fault.ts'
import { readConfig, readRules, withReadRecords } from './open.ts'
import { addJsonOption, listOption, onceOption } from './options.ts'
import { commandName, warnOfUnknownPort } from './output.ts'
import type { Shell } from './shell.ts'
import { renderTable } from './table.ts'
import { readTokenFile } from './token-file.ts'
import { describeTime } from './when.ts'

interface ClaimOptions {
  readonly origin: string
  readonly ip?: readonly string[]
  readonly expiresIn?: string
  readonly scope?: readonly string[]
  readonly jkt?: string
  readonly tokenFile?: string
  readonly token?: string | true
  readonly json?: boolean
}

/** Adds `claim` to the program. */
export function addClaimCommand(program: Command, shell: Shell): void {
  addJsonOption(program.command('claim'), 'print the answer of POST /auth/claim')
    .description("claim a browser token, as a customer's backend does")
    .argument('[source]', '- to read the account token from stdin')
    .addOption(onceOption('--origin <url>', 'the page that will use the token').makeOptionMandatory())
    .addOption(listOption('--ip <address>', 'address or CIDR that the token works from; repeat for more'))
    .addOption(
      onceOption(
        '--expires-in <seconds>',
        "its lifetime (default: CLAIMGATE_TOKEN_TTL, at most the account's limit)",
      ),
    )
    .addOption(
      listOption(
        '--scope <scope>',
        'scopes of the token; repeat for more (default: all scopes of the credential)',
      ),
    )
    .addOption(onceOption('--jkt <thumbprint>', "RFC 7638 thumbprint of the browser's key"))
    .addOption(onceOption('--token-file <path>', 'the file with the account token; - for stdin'))
    .addOption(new Option('--token [token]').hideHelp())
    .addHelpText('after', CLAIM_HELP)
    .action((source, options) => claim(shell, source, options))
}

const SOURCES = 'set CLAIMGATE_ACCOUNT_TOKEN, or pass --token-file <path>, or - to read it from stdin'

const CLAIM_HELP = `
The account token: ${SOURCES}.
stdout gets only the token; stderr says what the token is bound to.

Example:
  $ TOKEN=$(${commandName} claim --origin https://shop.example --token-file shop.token)`

async function claim(shell: Shell, source: string | undefined, options: ClaimOptions): Promise<void> {
  if (options.token !== undefined || (source !== undefined && source !== '-')) {
    throw usageError(
      `an account token is not taken from the command line, where other users of the machine can read it; ${SOURCES}. If you passed a real token, rotate it`,
    )
  }
  const config = readConfig(shell)
  const accountToken = await readAccountToken(shell, source, options.tokenFile)
  const issued = await withReadRecords(shell, config, (storage, keyStore) =>
    issueClaim(shell, config, { storage, keyStore }, accountToken, options),
  )
  if (options.json) return shell.print(`${formatClaimAnswer(issued)}\n`)
  shell.printAside(renderFacts(issued))
  shell.print(`${issued.token}\n`)
}

async function readAccountToken(
  shell: Shell,
  source: string | undefined,
  file: string | undefined,
): Promise<string> {
  if (source !== undefined && file !== undefined) throw usageError('pass either --token-file or -, not both')
  if (source === '-' || file === '-') return shell.readLine('account token')
  if (file !== undefined) return readTokenFile(file)
  const token = shell.readEnvironment().CLAIMGATE_ACCOUNT_TOKEN
  if (token === undefined || token === '') throw usageError(`an account token is needed: ${SOURCES}`)
  return token
}

/** Authenticates, checks the parameters, applies the policy and issues the token, in this order. Rejects with CliError. */
async function issueClaim(
  shell: Shell,
  config: Config,
  { storage: records, keyStore }: Records,
  accountToken: string,
  options: ClaimOptions,
): Promise<IssuedToken> {
  const now = Date.now()
  const storage = createCachedStorage(records)
  const authenticate = createAuthenticate(storage, openSecretHash(config))
  const found = await authenticate(parseAccountToken(accountToken), now)
  if (found === undefined)
    throw new CliError('unauthorized', isJwtShaped(accountToken) ? BROWSER_TOKEN : UNAUTHORIZED)
  const request = acceptInput(
    parseClaimParameters(
      toParameters(options),
      lifetimeLimits(found, { tokenTtl: config.tokenTtl, maxTtl: config.maxTtl }, now),
    ),
  )
  const grant = authorizeGrant(found, request)
  if (!grant.ok) {
    const hint = `see: ${commandName} account show ${found.account.id}`
    throw new CliError(grant.reason, `${POLICY_TEXTS[grant.reason]}; ${hint}`)
  }
  const longestSeconds = await storage.readLongestLifetime()
  if (grant.value.lifetimeSeconds > longestSeconds)
    throw new CliError('invalid_configuration', describeUnknownLifetime(longestSeconds))
  warnOfUnknownPort(shell, config)
  const rules = await readRules(shell, storage)
  const { keyRing, areNew } = await openKeys(
    keyStore,
    config,
    Math.max(longestSeconds, config.maxTtl),
    rules.isKeyRevoked,
  )
  if (areNew && (await storage.hasUsedCredential())) shell.printWarning(LOST_KEYS)
  const signGrant = createSignGrant({ issuer: config.issuer, audience: config.audience }, () => keyRing.sign)
  const signCurrent = createSignCurrent({
    storage,
    readStanding: rules.readStanding,
    refreshRules: rules.refresh,
    now: Date.now,
  })
  const issued = await signCurrent(found, (at) => after(signGrant(grant.value, at), ok))
  if (!issued.ok) throw new CliError(issued.reason.code, issued.reason.detail)
  return issued.value
}

const UNAUTHORIZED =
  'the account token is wrong, expired or revoked; check that DATABASE_URL and CLAIMGATE_PEPPER are those of the server that created it'

const BROWSER_TOKEN =
  'this is a browser token, which claim prints; pass the account token, which account create printed'

/**
 * Revocations are kept as long as the longest lifetime that the database has recorded. `claim` cannot record a longer one,
 * because it only reads, so it issues no token that a revocation might not outlive.
 */
function describeUnknownLifetime(longestSeconds: number): string {
  return `tokens on this database live at most ${longestSeconds} s so far, and claim does not change the database; pass --expires-in ${longestSeconds} or less, or start the server with this CLAIMGATE_MAX_TTL once`
}

const POLICY_TEXTS: Readonly<Record<PolicyFault, string>> = {
  origin_missing: 'this account needs an origin in every token',
  origin_not_allowed: 'the account does not allow this origin',
  scope_not_allowed: 'the credential does not hold every scope in the request',
}

function toParameters({ origin, ip, expiresIn, scope, jkt }: ClaimOptions): Parameters {
  const given = { origin, ip: ip?.flatMap(splitIpList), expiresIn, scope: scope?.join(' '), jkt }
  return new Map(Object.entries(given).filter(([, value]) => value !== undefined))
}

function renderFacts({ claims }: IssuedToken): string {
  const { origin = '', ip = 'any address', scope = 'none', cnf, exp, iat } = claims
  return renderTable([
    ['origin', origin],
    ['ip', typeof ip === 'string' ? ip : ip.join(', ')],
    ...(cnf === undefined ? [] : [['key', cnf.jkt]]),
    ['scope', scope],
    ['expires', describeTime(exp, iat)],
  ])
}
