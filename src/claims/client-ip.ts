// The client's address: the socket's peer, or what trusted proxies wrote into the one configured header
// (X-Forwarded-For, or Forwarded of RFC 7239 section 4). The header is read from the right, only as far as the hops are
// trusted, because a client can write anything to the left of that. An uncertain address counts as unknown.

import { isEscaped } from '../lib/json.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import {
  containsAddress,
  type IpAddress,
  type IpRange,
  parseAddress,
  parseIpRange,
  splitIpList,
  trimBlanks,
} from './ip.ts'

/** The trusted proxies: none, the last `count` hops (the peer included), or every hop whose address is in `ranges`. */
export type TrustedProxies =
  | { readonly kind: 'none' }
  | { readonly kind: 'hops'; readonly count: number }
  | { readonly kind: 'ranges'; readonly ranges: readonly IpRange[] }

/** The one header that is read, in lower case. */
export type ForwardedHeader = 'x-forwarded-for' | 'forwarded'

const MAX_HOPS = 50
const LOOPBACK = ['127.0.0.0/8', '::1']
const QUOTE = 34
const COMMA = 44
const HOP_COUNT = /^(0|[1-9][0-9]*)$/
// One `name=value` of a Forwarded element and its `;` (RFC 7239 section 4). Some proxies write blanks around the `;`.
const PAIR = /(?:([!#$%&'*+.^_`|~\w-]+)=(?:([!#$%&'*+.^_`|~\w-]+)|"((?:[^"\\]|\\.)*)"))?[ \t]*(?:;[ \t]*|$)/y

/**
 * Parses a trusted-proxies setting: a hop count of 0 to 50, or a comma list of addresses, CIDRs and `loopback`
 * (127.0.0.0/8 and ::1). Ranges follow `parseIpRange`: no /0, no host bits. The reason of a failure is a sentence for the
 * operator.
 *
 * @example parseTrustedProxies('loopback, 10.0.0.0/8')
 */
export function parseTrustedProxies(text: string): Result<TrustedProxies, string> {
  if (HOP_COUNT.test(text)) {
    const count = Number(text)
    return count > MAX_HOPS ? fail(`a hop count must be at most ${MAX_HOPS}`) : ok({ kind: 'hops', count })
  }
  const ranges: IpRange[] = []
  for (const entry of splitIpList(text).flatMap((name) => (name === 'loopback' ? LOOPBACK : [name]))) {
    const parsed = parseIpRange(entry)
    if (!parsed.ok) return parsed
    ranges.push(parsed.value)
  }
  return ok({ kind: 'ranges', ranges })
}

/** Whether the peer is a trusted proxy. With a hop count above 0 every peer is trusted, also one without an address. */
export function isTrustedPeer(peer: string | undefined, trusted: TrustedProxies): boolean {
  return isTrusted(parsePeer(peer), trusted)
}

/**
 * The client's address. If the peer is not a trusted proxy: the peer's. With ranges: the rightmost entry of the header that
 * is not trusted, or the leftmost if all are; without the header the peer's. With a hop count: that entry, counted from
 * the right. `undefined` when it is not certain: the entry is missing or not a plain address, the header has more than 50
 * entries, or the peer has no address.
 *
 * @param peer the socket's peer as the runtime prints it, `::ffff:…` included; `undefined` when it has none
 * @param header all lines of the header named by `kind`, joined with `, `; absent: `undefined` or `null`
 */
export function resolveClientIp(
  peer: string | undefined,
  header: string | null | undefined,
  trusted: TrustedProxies,
  kind: ForwardedHeader = 'x-forwarded-for',
): IpAddress | undefined {
  const address = parsePeer(peer)
  if (!isTrusted(address, trusted)) return address
  if (header === undefined || header === null) return trusted.kind === 'hops' ? undefined : address

  const hops = kind === 'forwarded' ? splitElements(header) : header.split(',', MAX_HOPS + 1).reverse()
  if (hops.length > MAX_HOPS) return undefined
  const readHop = kind === 'forwarded' ? readForwardedFor : readPlainHop
  if (trusted.kind === 'hops') {
    const hop = hops[trusted.count - 1]
    return hop === undefined ? undefined : readHop(hop)
  }
  let client: IpAddress | undefined
  for (const hop of hops) {
    client = readHop(hop)
    if (!isTrusted(client, trusted)) break
  }
  return client
}

function parsePeer(peer: string | undefined): IpAddress | undefined {
  return peer === undefined ? undefined : parseAddress(peer)
}

function isTrusted(address: IpAddress | undefined, trusted: TrustedProxies): boolean {
  switch (trusted.kind) {
    case 'none':
      return false
    case 'hops':
      return trusted.count > 0
    case 'ranges':
      return address !== undefined && trusted.ranges.some((range) => containsAddress(range, address))
  }
}

function readPlainHop(hop: string): IpAddress | undefined {
  const text = trimBlanks(hop, true, true)
  return parseAddress(text) ?? readNode(text)
}

/** IPv6 in brackets or IPv4, and perhaps a port: a number, or an obfuscated one (RFC 7239 section 6). */
const NODE = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::(?:(\d{1,5})|_[\w.-]+))?$/i
const MAX_PORT = 65_535

/** The address of a node; its port is dropped. Undefined when either is malformed. */
function readNode(node: string): IpAddress | undefined {
  const [, ipv6, ipv4, port = '0'] = NODE.exec(node) ?? []
  if (Number(port) > MAX_PORT) return undefined
  if (ipv6 !== undefined) return ipv6.includes(':') ? parseAddress(ipv6) : undefined
  return ipv4 === undefined ? undefined : parseAddress(ipv4)
}

/**
 * Elements of a Forwarded header, rightmost first, at most one more than the limit. Quotes are paired from the right too,
 * so that an unclosed quote sent by the client cannot hide what a proxy wrote after it.
 */
function splitElements(header: string): string[] {
  const elements: string[] = []
  let end = header.length
  let quoted = false
  for (let at = end - 1; at >= 0 && elements.length < MAX_HOPS; at--) {
    const code = header.charCodeAt(at)
    if (code === QUOTE && !(quoted && isEscaped(header, at))) quoted = !quoted
    else if (code === COMMA && !quoted) {
      elements.push(header.slice(at + 1, end))
      end = at
    }
  }
  elements.push(header.slice(0, end))
  return elements
}

/**
 * The address in the `for` of a Forwarded element, without its port. Undefined when the element is malformed, has no `for` or
 * two, or when the node is obfuscated or `unknown` (RFC 7239 section 6).
 */
function readForwardedFor(element: string): IpAddress | undefined {
  const text = trimBlanks(element, true, true)
  let node: string | undefined
  PAIR.lastIndex = 0
  while (PAIR.lastIndex < text.length) {
    const pair = PAIR.exec(text)
    if (pair === null) return undefined
    const [, name, token, quoted] = pair
    if (name?.toLowerCase() !== 'for') continue
    if (node !== undefined) return undefined // RFC 7239 allows each name once in an element
    node = token ?? quoted?.replace(/\\(.)/g, '$1')
  }
  return node === undefined ? undefined : readNode(node)
}
