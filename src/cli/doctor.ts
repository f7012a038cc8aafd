// `doctor`: shows what the service's verifier would see in a request, and which rule decides. Takes the request in curl's
// notation, sends nothing anywhere, and changes no statistic, record, key or file.

import { type Command, InvalidArgumentError } from 'commander'
import { explainDecision, METHOD_ADVICE, parseWebUrl, URL_ADVICE } from '../admin/explain.ts'
import { isTrustedPeer, resolveClientIp } from '../claims/client-ip.ts'
import type { ClaimErrorCode } from '../claims/codes.ts'
import { HTTP_TOKEN } from '../claims/input/http-token.ts'
import { formatAddress, parseAddress } from '../claims/ip.ts'
import { patternsMatching } from '../claims/origin-pattern.ts'
import type { Config } from '../config/config.ts'
import { paths } from '../http/paths.ts'
import { createWhoamiJudge } from '../service/verifier.ts'
import type { StepOutcome } from '../verify/explain.ts'
import { renderVerdict } from './explain.ts'
import { usageError } from './fault.ts'
import { readConfig } from './open.ts'
import { addJsonOption, listOption, onceOption } from './options.ts'
import { commandName, warnOfOpenFolder, warnOfUnknownPort } from './output.ts'
import type { Shell } from './shell.ts'
import { type Emphasis, renderTable } from './table.ts'
import { withVerifier } from './verifier.ts'

interface DoctorOptions {
  readonly header?: readonly string[]
  readonly peer?: string
  readonly method?: string
  readonly json?: boolean
}

/** What the verifier sees in a request; the JSON document has these members. */
interface Diagnosis {
  readonly peer: string
  /** Whether the peer is a trusted proxy, so that its forwarded header counts. */
  readonly peerIsTrusted: boolean
  readonly forwardedHeader: string
  /** The value of that header; null when the request has none. */
  readonly forwarded: string | null
  /** The client's address; null when no trusted source names one. */
  readonly address: string | null
  readonly origin: string | null
  /** Whether CORS lets a page on that origin read the answer. */
  readonly readable: boolean
  readonly allowed: boolean
  readonly code: ClaimErrorCode | null
  readonly steps: readonly StepOutcome[]
}

/** Adds `doctor` to the program. */
export function addDoctorCommand(program: Command, shell: Shell): void {
  addJsonOption(program.command('doctor'), 'print one JSON document')
    .description("show what the service's verifier would see in a request, and which rule decides")
    .argument('[url]', 'the URL of the request (default: /auth/whoami of the issuer)')
    .addOption(
      listOption('-H, --header <line>', 'a header of the request, written as for curl; repeat for more'),
    )
    .addOption(
      onceOption('--peer <address>', 'the address at the other end of the socket (default: 127.0.0.1)'),
    )
    .addOption(onceOption('-X, --method <name>', 'the method (default: GET)'))
    .addHelpText('after', HELP)
    .action((url, options) => diagnose(shell, url, options))
}

const HELP = `
Applies the rules of /auth/whoami. The options that a proxy adds at /auth/verify are not known here.

Example:
  $ ${commandName} doctor -H "Origin: https://shop.example" -H "Authorization: Bearer $TOKEN" \\
      --peer 10.0.0.2 -H "X-Forwarded-For: 203.0.113.7"`

async function diagnose(shell: Shell, url: string | undefined, options: DoctorOptions): Promise<void> {
  const config = readConfig(shell)
  const { peer = '127.0.0.1', method = 'GET' } = options
  const request = {
    method,
    url: url ?? config.issuer + paths.whoami,
    headers: parseHeaders(options.header ?? []),
  }
  if (parseAddress(peer) === undefined) throw usageError('--peer must be a plain address')
  if (parseWebUrl(request.url) === undefined) throw usageError(`the URL ${URL_ADVICE}`)
  if (!HTTP_TOKEN.test(method)) throw usageError(`--method ${METHOD_ADVICE}`)
  warnOfUnknownPort(shell, config)
  warnOfOpenFolder(shell, config)
  const diagnosis = await examine(shell, config, request, peer)
  if (options.json) shell.printJson(diagnosis)
  else shell.print(renderDiagnosis(diagnosis, shell.bold))
}

/** Parses header lines. Lines of the same name are joined with a comma, as servers do. Throws InvalidArgumentError. */
function parseHeaders(lines: readonly string[]): Headers {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    try {
      headers.append(line.slice(0, colon), line.slice(colon + 1))
    } catch {
      throw new InvalidArgumentError('Write a header as "Name: value".')
    }
  }
  return headers
}

async function examine(
  shell: Shell,
  config: Config,
  request: { readonly method: string; readonly url: string; readonly headers: Headers },
  peer: string,
): Promise<Diagnosis> {
  const { trustedProxies, forwardedHeader } = config
  const forwarded = request.headers.get(forwardedHeader)
  const address = resolveClientIp(peer, forwarded, trustedProxies, forwardedHeader)
  const origin = request.headers.get('origin')
  return withVerifier(shell, config, async (verifier, storage) => {
    const received = { request, address, now: Date.now() / 1000 }
    const verdict = await createWhoamiJudge(verifier)(received)
    const { allowed, code, steps } = await explainDecision(verdict, {
      received,
      policy: verifier.policy,
      apiOrigin: verifier.serviceOrigin,
      findAlg: verifier.facts.findAlg,
      describeRevocation: verifier.facts.describeRevocation,
    })
    return {
      peer,
      peerIsTrusted: isTrustedPeer(peer, trustedProxies),
      forwardedHeader,
      forwarded,
      address: address === undefined ? null : formatAddress(address),
      origin,
      readable: origin !== null && (await storage.isAnyOriginListed(patternsMatching(origin))),
      allowed,
      code,
      steps,
    }
  })
}

function renderDiagnosis(diagnosis: Diagnosis, bold: Emphasis): string {
  const { peer, peerIsTrusted, forwarded, address, origin, readable, code } = diagnosis
  const facts = renderTable([
    [
      'peer',
      `${peer}${peerIsTrusted ? ' (a trusted proxy)' : ' (not a trusted proxy: its forwarded headers do not count)'}`,
    ],
    [diagnosis.forwardedHeader, forwarded ?? 'none'],
    ['client address', address ?? 'none from a trusted source'],
    ['origin', origin ?? 'none'],
    ['page can read the answer', readable ? 'yes' : 'no'],
  ])
  return `${facts}\n${renderVerdict(diagnosis.steps, code, bold)}`
}
