// IP addresses and CIDR ranges: strict parsing, canonical text (RFC 5952) and containment.
// Only IPv4-mapped addresses (::ffff:0:0/96, RFC 4291 section 2.5.5.2) become IPv4; NAT64, 6to4 and IPv4-compatible
// addresses stay IPv6. Refused: octets with leading zeros; short, octal and hex IPv4; zone ids, brackets, ports, blanks;
// ranges with host bits or /0.

import { fail, ok, type Result } from '../lib/result.ts'

/** One address as four unsigned 32-bit words, highest first. An IPv4 address is in `w3`, and the others are 0. */
export interface IpAddress {
  readonly family: 4 | 6
  readonly w0: number
  readonly w1: number
  readonly w2: number
  readonly w3: number
}

/** A network: the address, and in `prefix` how many leading bits must be equal, 1 to 32 for IPv4, 1 to 128 for IPv6. */
export interface IpRange extends IpAddress {
  readonly prefix: number
  /** Canonical text; a range of one address has no `/length`. */
  readonly text: string
}

const MAX_ENTRIES = 4
const DOT = 46
const COLON = 58
const ZERO = 48

/**
 * Parses one IPv4 or IPv6 address (RFC 4291 section 2.2), for socket peers and forwarded hops. An IPv4-mapped address
 * becomes IPv4. `undefined` for any other text, a CIDR included.
 */
export function parseAddress(text: string): IpAddress | undefined {
  if (text.includes(':')) return parseIPv6(text)
  const word = readIPv4(text, 0)
  return word < 0 ? undefined : { family: 4, w0: 0, w1: 0, w2: 0, w3: word }
}

/**
 * Parses one address or CIDR (RFC 4632 section 3.1) of an `ip` parameter or claim. The reason of a failure is a sentence
 * for the caller. It contains nothing of the input, except, when host bits are set, the network without them.
 *
 * @example parseIpRange('::FFFF:10.0.0.0/104') // { ok: true, value: { family: 4, prefix: 8, text: '10.0.0.0/8', … } }
 */
export function parseIpRange(text: string): Result<IpRange, string> {
  const slash = text.indexOf('/')
  const plain = slash < 0 ? text : text.slice(0, slash)
  const address = parseAddress(plain)
  if (address === undefined) {
    return fail(
      'must be an IPv4 or IPv6 address or CIDR, such as 203.0.113.7 or 2001:db8::/64, without port, brackets, zone or leading zeros',
    )
  }
  const bits = address.family === 4 ? 32 : 128
  if (slash < 0) return ok({ ...address, prefix: bits, text: formatAddress(address) })

  const skipped = address.family === 4 && plain.includes(':') ? 96 : 0 // v4-mapped: /96+n is /n
  const prefix = readLength(text.slice(slash + 1)) - skipped
  if (prefix < 1 || prefix > bits) {
    return fail(
      `the length after / must be a number from ${skipped + 1} to ${skipped + bits}, without leading zeros`,
    )
  }
  const network = cutAddress(address, prefix)
  const base = formatAddress(network)
  const canonical = prefix === bits ? base : `${base}/${prefix}`
  if (formatAddress(address) !== base) return fail(`host bits are set; write ${canonical}`)
  return ok({ ...network, prefix, text: canonical })
}

/**
 * Parses the entries of an `ip` parameter or claim: 1 to 4 different ranges, in the order given, without repeats. Fails
 * with the reason of the first entry that is refused.
 */
export function parseIpList(entries: readonly string[]): Result<readonly IpRange[], string> {
  const ranges: IpRange[] = []
  for (const entry of entries) {
    const parsed = parseIpRange(entry)
    if (!parsed.ok) return parsed
    if (ranges.some((range) => range.text === parsed.value.text)) continue
    if (ranges.length === MAX_ENTRIES) return fail(`must have at most ${MAX_ENTRIES} addresses or ranges`)
    ranges.push(parsed.value)
  }
  return ranges.length === 0 ? fail('must have at least one address or range') : ok(ranges)
}

/**
 * Splits a comma list and removes blanks (space, tab) around the commas. Blanks at either end of the text stay, so that
 * the entry there is refused. Returns at least one entry; empty text gives one empty entry.
 */
export function splitIpList(text: string): string[] {
  const parts = text.split(',')
  const last = parts.length - 1
  return parts.map((part, index) => trimBlanks(part, index > 0, index < last))
}

/** Whether the range contains the address. A range of one family never contains an address of the other. */
export function containsAddress(range: IpRange, address: IpAddress): boolean {
  if (range.family !== address.family) return false
  const bits = range.family === 4 ? range.prefix + 96 : range.prefix
  return (
    keepBits(range.w0 ^ address.w0, bits) === 0 &&
    keepBits(range.w1 ^ address.w1, bits - 32) === 0 &&
    keepBits(range.w2 ^ address.w2, bits - 64) === 0 &&
    keepBits(range.w3 ^ address.w3, bits - 96) === 0
  )
}

/** Canonical text of an address (RFC 5952 section 4): lower case, the first longest run of zero groups as `::`. */
export function formatAddress(address: IpAddress): string {
  const { w0, w1, w2, w3 } = address
  if (address.family === 4) return `${w3 >>> 24}.${(w3 >>> 16) & 255}.${(w3 >>> 8) & 255}.${w3 & 255}`
  const groups = [w0, w1, w2, w3].flatMap((word) => [word >>> 16, word & 0xffff])
  let start = -1
  let longest = 1 // a single zero group is not shortened (section 4.2.2)
  let run = 0
  groups.forEach((group, index) => {
    run = group === 0 ? run + 1 : 0
    if (run > longest) {
      longest = run
      start = index - run + 1
    }
  })
  const text = groups.map((group) => group.toString(16))
  if (start < 0) return text.join(':')
  return `${text.slice(0, start).join(':')}::${text.slice(start + longest).join(':')}`
}

/** The part of a client's address that logs may contain, as a CIDR: the /24 of an IPv4 address, the /48 of IPv6. */
export function anonymizeAddress(address: IpAddress): string {
  const prefix = address.family === 4 ? 24 : 48
  return `${formatAddress(cutAddress(address, prefix))}/${prefix}`
}

/**
 * Key for limits per client: the whole IPv4 address, or the /56 of an IPv6 address as a CIDR. Providers assign a /56 to a
 * household, so with a longer prefix one client would have many keys. All clients of unknown address share the key
 * `unknown`.
 */
export function addressKey(address: IpAddress | undefined): string {
  if (address === undefined) return 'unknown'
  return address.family === 4 ? formatAddress(address) : `${formatAddress(cutAddress(address, 56))}/56`
}

/** Removes blanks (space and tab only) at the chosen ends of a list entry. */
export function trimBlanks(text: string, atStart: boolean, atEnd: boolean): string {
  let start = 0
  let end = text.length
  while (atStart && start < end && isBlank(text.charCodeAt(start))) start++
  while (atEnd && end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

/** The address with all bits after the first `prefix` cleared. */
function cutAddress(address: IpAddress, prefix: number): IpAddress {
  const bits = address.family === 4 ? prefix + 96 : prefix
  return {
    family: address.family,
    w0: keepBits(address.w0, bits),
    w1: keepBits(address.w1, bits - 32),
    w2: keepBits(address.w2, bits - 64),
    w3: keepBits(address.w3, bits - 96),
  }
}

/** The word, unsigned, with all but its first `count` bits cleared: 0 for a count of 0 or less, unchanged from 32. */
function keepBits(word: number, count: number): number {
  if (count <= 0) return 0 // JavaScript shifts by the count modulo 32, so a shift by 32 would do nothing
  return count >= 32 ? word >>> 0 : (word & (-1 << (32 - count))) >>> 0
}

/** The IPv4 address from `start` to the end of the text, as one unsigned word; -1 when that is not four decimal octets. */
function readIPv4(text: string, start: number): number {
  let word = 0
  let octets = 0
  let octet = -1
  for (let at = start; at <= text.length; at++) {
    const code = at < text.length ? text.charCodeAt(at) : DOT // the end of the text ends the last octet
    if (code === DOT) {
      if (octet < 0) return -1
      word = word * 256 + octet
      octets++
      octet = -1
    } else {
      const digit = code - ZERO
      if (digit < 0 || digit > 9 || octet === 0) return -1 // a digit after octet 0: a leading zero
      octet = octet < 0 ? digit : octet * 10 + digit
      if (octet > 255) return -1
    }
  }
  return octets === 4 ? word : -1
}

function parseIPv6(text: string): IpAddress | undefined {
  const groups: number[] = []
  let gap = -1 // index in `groups` where `::` was found
  let at = 0
  if (text.startsWith('::')) {
    gap = 0
    at = 2
  }
  while (at < text.length) {
    const start = at
    let group = 0
    for (let digit = readHex(text, at); digit >= 0; digit = readHex(text, at)) {
      group = group * 16 + digit
      at++
    }
    if (text.charCodeAt(at) === DOT) {
      const word = readIPv4(text, start)
      if (word < 0) return undefined
      groups.push(word >>> 16, word & 0xffff)
      break // readIPv4 has read to the end
    }
    if (at === start || at - start > 4) return undefined
    groups.push(group)
    if (at === text.length) break
    if (text.charCodeAt(at) !== COLON) return undefined
    at++
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return undefined
      gap = groups.length
      at++
    } else if (at === text.length) return undefined
  }
  if (gap < 0 ? groups.length !== 8 : groups.length > 7) return undefined // `::` stands for at least one group
  if (gap >= 0) groups.splice(gap, 0, ...new Array<number>(8 - groups.length).fill(0))
  return joinGroups(groups)
}

function joinGroups(groups: readonly number[]): IpAddress {
  const [g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0, g5 = 0, g6 = 0, g7 = 0] = groups
  const w0 = ((g0 << 16) | g1) >>> 0
  const w1 = ((g2 << 16) | g3) >>> 0
  const w2 = ((g4 << 16) | g5) >>> 0
  const w3 = ((g6 << 16) | g7) >>> 0
  if (w0 === 0 && w1 === 0 && w2 === 0xffff) return { family: 4, w0: 0, w1: 0, w2: 0, w3 }
  return { family: 6, w0, w1, w2, w3 }
}

/** Value of the hex digit at `at`; -1 when there is none. */
function readHex(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code >= ZERO && code <= 57) return code - ZERO
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** Value of a text of one to three digits without leading zero; -1 for other text. */
function readLength(text: string): number {
  if (text === '' || text.length > 3 || (text.length > 1 && text.startsWith('0'))) return -1
  let value = 0
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}
