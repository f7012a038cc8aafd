// `doctor`: what the service's verifier would see in a request, and which rule decides. Takes the request as curl
// spells it; nothing is sent anywhere, no statistic or record changes, and no key or database is made.

import { type Command, InvalidArgumentError } from 'commander'
import { isTrustedPeer, resolveClientIp } from '../claims/client-ip.ts'
import type { ClaimErrorCode } from '../claims/codes.ts'
import { formatAddress, parseAddress } from '../claims/ip.ts'
import { patternsMatching } from '../claims/origin-pattern.ts'
import type { Config } from '../config/config.ts'
import { paths } from '../http/paths.ts'
import { createWhoamiJudge } from '../service/verifier.ts'
import { explainVerdict, type StepOutcome } from '../verify/explain.ts'
import { usageError } from './fault.ts'
import { readConfig } from './open.ts'
import { addJsonOption, listOption, onceOption } from './options.ts'
import { commandName, print, printJson, warnOfOpenFolder, warnOfUnknownPort } from './output.ts'
import { renderTable } from './table.ts'
import { renderVerdict } from './verdict-text.ts'
import { withVerifier } from './verifier.ts'

interface DoctorOptions {
  readonly header?: readonly string[]
  readonly peer?: string
  readonly method?: string
  readonly json?: boolean
}

/** What the verifier sees; the members of the JSON document. */
interface Diagnosis {
  readonly peer: string
  /** Whether the peer's forwarded header counts. */
  readonly peerIsTrusted: boolean
  readonly forwardedHeader: string
  /** That header as it came, null when it did not. */
  readonly forwarded: string | null
  /** Null: there is no address that can be trusted. */
  readonly address: string | null
  readonly origin: string | null
  /** Whether CORS lets that origin read the answer. */
  readonly readable: boolean
  readonly allowed: boolean
  readonly code: ClaimErrorCode | null
  readonly steps: readonly StepOutcome[]
}

/** Adds the command to the program. */
export function addDoctorCommand(program: Command): void {
  addJsonOption(program.command('doctor'), 'print one JSON document')
    .description("show what the service's verifier would see in a request, and which rule decides")
    .argument('[url]', 'what is asked for (/auth/whoami of the issuer)')
    .addOption(
      listOption('-H, --header <line>', 'a header of the request, as curl takes it; repeat for more'),
    )
    .addOption(onceOption('--peer <address>', "the socket's peer (127.0.0.1)"))
    .addOption(onceOption('-X, --method <name>', 'the method (GET)'))
    .addHelpText('after', HELP)
    .action(diagnose)
}

const HELP = `
Judged as /auth/whoami judges; what a proxy asks of /auth/verify besides is not known here.

Example:
  $ ${commandName} doctor -H "Origin: https://shop.example" -H "Authorization: Bearer $TOKEN" \\
      --peer 10.0.0.2 -H "X-Forwarded-For: 203.0.113.7"`

async function diagnose(url: string | undefined, options: DoctorOptions): Promise<void> {
  const config = readConfig()
  const { peer = '127.0.0.1', method = 'GET' } = options
  const request = {
    method,
    url: url ?? config.issuer + paths.whoami,
    headers: parseHeaders(options.header ?? []),
  }
  if (parseAddress(peer) === undefined) throw usageError('--peer must be a plain address')
  warnOfUnknownPort(config, options.json === true)
  warnOfOpenFolder(config, options.json === true)
  const diagnosis = await examine(config, request, peer)
  if (options.json) printJson(diagnosis)
  else print(renderDiagnosis(diagnosis))
}

/** Header lines; several of one name are joined, as servers hand them over. */
function parseHeaders(lines: readonly string[]): Headers {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    try {
      headers.append(line.slice(0, colon), line.slice(colon + 1))
    } catch {
      throw new InvalidArgumentError('A header is written "Name: value".')
    }
  }
  return headers
}

async function examine(
  config: Config,
  request: { readonly method: string; readonly url: string; readonly headers: Headers },
  peer: string,
): Promise<Diagnosis> {
  const { trustedProxies, forwardedHeader } = config
  const forwarded = request.headers.get(forwardedHeader)
  const address = resolveClientIp(peer, forwarded, trustedProxies, forwardedHeader)
  const origin = request.headers.get('origin')
  return withVerifier(config, async (verifier, storage) => {
    const verdict = await createWhoamiJudge(verifier)({ request, address, now: Date.now() / 1000 })
    return {
      peer,
      peerIsTrusted: isTrustedPeer(peer, trustedProxies),
      forwardedHeader,
      forwarded,
      address: address === undefined ? null : formatAddress(address),
      origin,
      readable: origin !== null && (await storage.isAnyOriginListed(patternsMatching(origin))),
      allowed: verdict.outcome === 'allow',
      code: verdict.outcome === 'allow' ? null : verdict.reason.code,
      steps: explainVerdict(verdict, verifier.policy),
    }
  })
}

function renderDiagnosis(diagnosis: Diagnosis): string {
  const { peer, peerIsTrusted, forwarded, address, origin, readable, code } = diagnosis
  const facts = renderTable([
    [
      'peer',
      `${peer}${peerIsTrusted ? ' (a trusted proxy)' : ' (no trusted proxy: its headers do not count)'}`,
    ],
    [diagnosis.forwardedHeader, forwarded ?? 'none'],
    ['client address by these', address ?? 'none that can be trusted'],
    ['origin', origin ?? 'none'],
    ['the page can read the answer', readable ? 'yes' : 'no'],
  ])
  return `${facts}\n${renderVerdict(diagnosis.steps, code)}`
}
