// `inspect`: shows what a token contains, what it is bound to, whether one of the configured keys signed it, and whether
// it has expired. Creates no keys and does not print the token. Not checked: revocation, issuer, audience.

import type { Command } from 'commander'
import { base64url } from 'jose'
import { type ParsedClaims, parseClaimsSet } from '../claims/claims-set.ts'
import { enforceTime } from '../claims/enforce.ts'
import type { Config } from '../config/config.ts'
import { isCanonicalBase64url } from '../lib/base64url.ts'
import { isJsonObject, type JsonObject, parseJson } from '../lib/json.ts'
import { decodeToken } from '../verify/format.ts'
import { CliError } from './fault.ts'
import { readConfig, withReadKeys } from './open.ts'
import { addExample, addJsonOption } from './options.ts'
import type { Shell } from './shell.ts'
import { type Emphasis, renderTable, toPlainText } from './table.ts'
import { loadVerificationKeys, type VerificationKeys } from './verifier.ts'
import { describeTime, toIso } from './when.ts'

/** What a JWT contains, and what was checked; the JSON document has these members. */
interface Inspection {
  readonly header: JsonObject
  readonly claims: JsonObject
  readonly issuedAt: string | null
  readonly expiresAt: string | null
  readonly bounds: readonly string[]
  /** Verifiers refuse the tokens of an expired key. */
  readonly validSignature: 'yes' | 'yes, by an expired key' | 'no' | 'unknown key'
  readonly inItsTime: 'yes' | 'no, expired' | 'no, not yet' | 'unknown'
  /** Why verifiers refuse the token in every request; null when its format is right. */
  readonly fault: string | null
}

type DecodedJwt = readonly [header: JsonObject, claims: JsonObject]

/** Adds `inspect` to the program. */
export function addInspectCommand(program: Command, shell: Shell): void {
  const command = addJsonOption(program.command('inspect'), 'print one JSON document')
    .description('show what a browser token contains, and whether it is valid')
    .argument('<jwt>', 'the token, or - to read it from stdin')
    .action((token, options) => inspect(shell, token, options))
  addExample(command, 'inspect -', 'echo "$TOKEN" | ')
}

async function inspect(shell: Shell, argument: string, { json }: { readonly json?: boolean }): Promise<void> {
  const config = readConfig(shell)
  const token = argument === '-' ? await shell.readLine('token') : argument
  const now = Date.now() / 1000
  const decoded = decodeJwt(token)
  const keys = await withReadKeys(shell, config, loadVerificationKeys)
  const inspection = await inspectToken(token, decoded, config, keys, now)
  if (json) shell.printJson(inspection)
  else shell.print(renderInspection(inspection, now, shell.bold))
}

async function inspectToken(
  token: string,
  [header, claims]: DecodedJwt,
  config: Config,
  keys: VerificationKeys,
  now: number,
): Promise<Inspection> {
  const parsed = parseClaimsSet(claims)
  return {
    header,
    claims,
    issuedAt: typeof claims.iat === 'number' ? toIso(claims.iat) : null,
    expiresAt: typeof claims.exp === 'number' ? toIso(claims.exp) : null,
    bounds: parsed.ok ? describeBounds(parsed.value) : [],
    validSignature: await checkSignature(token, header, keys),
    inItsTime: parsed.ok ? judgeTime(parsed.value, config.clockTolerance, now) : 'unknown',
    fault: findFault(token, parsed.ok ? undefined : parsed.reason),
  }
}

/**
 * Header and claims of a JWS in compact form (RFC 7519 section 7.2): three canonical base64url parts, of which the first
 * two are JSON objects. Throws CliError for anything else. The signature is not checked.
 */
function decodeJwt(token: string): DecodedJwt {
  const [head = '', body = '', signature, ...others] = token.split('.')
  const header = decodeObject(head)
  const claims = decodeObject(body)
  if (others.length === 0 && signature && isCanonicalBase64url(signature) && header && claims)
    return [header, claims]
  const hint = token.startsWith('cgk_')
    ? 'this is an account token, which belongs only on a server'
    : 'this is not a JWT: it must be three base64url parts with dots between them, the first two of them JSON'
  throw new CliError('invalid_token', `${hint}; pass a token from a claim`)
}

function decodeObject(part: string): JsonObject | undefined {
  if (!isCanonicalBase64url(part)) return undefined
  const parsed = parseJson(new TextDecoder().decode(base64url.decode(part)))
  return parsed.ok && isJsonObject(parsed.value) ? parsed.value : undefined
}

async function checkSignature(
  token: string,
  { kid, alg }: JsonObject,
  keys: VerificationKeys,
): Promise<Inspection['validSignature']> {
  const key = typeof kid === 'string' ? keys.find(kid) : undefined
  if (key === undefined) return 'unknown key'
  if (key.alg !== alg || !(await key.verify(token))) return 'no'
  return keys.isEnded(key.kid) ? 'yes, by an expired key' : 'yes'
}

function judgeTime({ claims }: ParsedClaims, tolerance: number, now: number): Inspection['inItsTime'] {
  const reason = enforceTime(claims, tolerance, now)
  if (reason === undefined) return 'yes'
  return reason.code === 'token_expired' ? 'no, expired' : 'no, not yet'
}

function findFault(token: string, claim: string | undefined): string | null {
  if (claim !== undefined) return `its claim "${claim}" is missing or wrong`
  return !decodeToken(token)?.kid
    ? 'its header is not the header of a browser token, or the token is too long'
    : null
}

function describeBounds({ claims, ranges, scopes }: ParsedClaims): readonly string[] {
  const addresses = ranges?.map((range) => range.text).join(' or ')
  return [
    claims.origin === undefined ? 'works from every origin' : `works only from the origin ${claims.origin}`,
    addresses === undefined ? 'works from every address' : `works only from the address ${addresses}`,
    claims.cnf === undefined
      ? 'works without a proof of a key'
      : `works only with a proof by the key ${claims.cnf.jkt}`,
    scopes.length === 0 ? 'holds no scope' : `holds the scopes ${scopes.join(' ')}`,
  ]
}

/** Names of the claims that are epoch seconds (RFC 7519 section 4.1). */
const TIMES: ReadonlySet<string> = new Set(['iat', 'nbf', 'exp'])

function renderInspection(inspection: Inspection, now: number, bold: Emphasis): string {
  const { header, claims, bounds, validSignature, inItsTime, fault } = inspection
  const rows = (members: JsonObject, times: ReadonlySet<string>): string[][] =>
    Object.entries(members).map(([name, value]) => [
      `  ${name}`,
      typeof value === 'number' && times.has(name) ? describeTime(value, now) : describeValue(value),
    ])
  const headerRows = rows(header, new Set())
  const table = renderTable([...headerRows, ...rows(claims, TIMES)])
  const lines = table.split('\n').slice(0, -1)
  const sentences = bounds.map((bound) => `  ${toPlainText(bound)}`)
  return [
    bold('header'),
    ...lines.slice(0, headerRows.length),
    bold('claims'),
    ...lines.slice(headerRows.length),
    ...(fault === null
      ? [bold('bounds'), ...sentences]
      : [`every verifier refuses it: ${toPlainText(fault)}`]),
    `valid signature: ${validSignature}`,
    `in its time: ${inItsTime}`,
    '',
  ].join('\n')
}

function describeValue(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
