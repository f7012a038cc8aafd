// Addresses and ranges: public test vectors, tables of the project's own rules, and comparisons with other parsers.

import { BlockList, isIP } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addressKey,
  anonymizeAddress,
  containsAddress,
  formatAddress,
  type IpAddress,
  type IpRange,
  parseAddress,
  parseIpList,
  parseIpRange,
  splitIpList,
} from '../../src/claims/ip.ts'
import ipaddrJs from '../vectors/ip/ipaddr-js.json' with { type: 'json' }
import netip from '../vectors/ip/netip.json' with { type: 'json' }

interface Row {
  readonly input: string
  /** The result of the library that the vector is from: text, `valid` without a text, null for a refusal. */
  readonly source: string | null
  readonly rule: string
  readonly expect: string | null
}

/** Why the answer may differ from that of the library. Each rule checks the rows that name it. */
const RULES: Record<string, (row: Row) => boolean> = {
  same: (row) => row.source !== null && row.expect === row.source,
  refused: (row) => row.source === null && row.expect === null,
  canonical: (row) => row.source === 'valid' && row.expect !== null,
  // ParsePrefix of netip requires a slash, an entry of a claim does not
  address: (row) => row.source === null && row.expect === row.input && !row.input.includes('/'),
  // an IPv4-mapped address becomes IPv4
  mapped: (row) => row.source === `::ffff:${row.expect}`,
  // ipaddr.js takes an IPv4-compatible address for a mapped one; it stays IPv6
  compatible: (row) => row.source === `::ffff:${row.input.slice(2)}` && row.expect?.startsWith('::') === true,
  // one address is not a range
  single: (row) => row.source === `${row.expect}/${row.expect?.includes(':') ? 128 : 32}`,
  // the library accepts the rest, this project refuses it
  zone: (row) => row.source !== null && row.expect === null && row.input.includes('%'),
  'number-form': (row) => row.source !== null && row.expect === null && !row.input.includes(':'),
  'long-group': (row) => row.source !== null && row.expect === null && /[0-9a-f]{5}/.test(row.input),
  'host-bits': (row) => row.source !== null && row.expect === null && row.input.includes('/'),
  'whole-family': (row) => row.source !== null && row.expect === null && row.input.endsWith('/0'),
  'short-mapped': (row) =>
    row.source !== null &&
    row.expect === null &&
    Number(row.input.split('/')[1]) <= 96 &&
    row.input.startsWith('::ffff:'),
}

const EDGE = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'

/** Canonical text of a claim entry; null for a refusal. */
function canonical(text: string): string | null {
  const parsed = parseIpRange(text)
  return parsed.ok ? parsed.value.text : null
}

function reason(text: string): string {
  const parsed = parseIpRange(text)
  return parsed.ok ? 'accepted' : parsed.reason
}

function range(text: string): IpRange {
  const parsed = parseIpRange(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.reason}`)
  return parsed.value
}

function address(text: string): IpAddress {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new Error(`no address: ${text}`)
  return parsed
}

describe.each([
  ['Go net/netip', netip],
  ['ipaddr.js', ipaddrJs],
])('vectors of %s', (_name, vectors) => {
  const addresses: readonly Row[] = vectors.addresses
  const prefixes: readonly Row[] = vectors.prefixes

  test.each([...addresses, ...prefixes])('$input under rule $rule is $expect', (row) => {
    expect(RULES[row.rule]?.(row), 'the row does not fit its rule').toBe(true)
    expect(canonical(row.input)).toBe(row.expect)
  })

  test.each(addresses)('$input as peer or hop is $expect', (row) => {
    const parsed = parseAddress(row.input)
    expect(parsed === undefined ? null : formatAddress(parsed)).toBe(row.expect)
  })

  test.each(vectors.masks)(
    '$input is refused for its host bits; the message names $network',
    ({ input, network }) => {
      expect(reason(input)).toBe(`host bits are set; write ${network}`)
      expect(canonical(network)).toBe(network)
    },
  )

  test.each(vectors.contains)('$range contains $inside, not $outside', (row) => {
    for (const inside of row.inside)
      expect(containsAddress(range(row.range), address(inside)), inside).toBe(true)
    for (const outside of row.outside)
      expect(containsAddress(range(row.range), address(outside)), outside).toBe(false)
  })
})

describe('an entry of an ip claim', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7/32', '203.0.113.7'],
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['128.0.0.0/1', '128.0.0.0/1'],
    ['255.255.255.255', '255.255.255.255'],
    ['2001:DB8::1/128', '2001:db8::1'],
    ['2001:0db8:0000:0001::/64', '2001:db8:0:1::/64'],
    ['8000::/1', '8000::/1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:0:2:0:0:3:4', '1::2:0:0:3:4'],
    ['1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7:0'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:201', '192.0.2.1'],
    ['::ffff:192.0.2.1/128', '192.0.2.1'],
    ['::ffff:192.0.2.0/120', '192.0.2.0/24'],
    ['::ffff:0:0/97', '0.0.0.0/1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'], // NAT64 is not unwrapped
    ['2002:c000:201::', '2002:c000:201::'], // neither is 6to4
    ['::192.0.2.1', '::c000:201'], // nor IPv4-compatible
    ['::ffff:0:192.0.2.1', '::ffff:0:c000:201'], // nor IPv4-translated
    [EDGE, EDGE],
  ])('%s is stored as %s', (input, text) => {
    expect(canonical(input)).toBe(text)
    expect(canonical(text)).toBe(text)
  })

  test.each([
    ['', 'must be an IPv4'],
    [' 10.0.0.1', 'must be an IPv4'],
    ['10.0.0.1\n', 'must be an IPv4'],
    ['10.0.0.1\0', 'must be an IPv4'],
    ['010.0.0.1', 'must be an IPv4'],
    ['10.0.0.00', 'must be an IPv4'],
    ['256.0.0.1', 'must be an IPv4'],
    ['1.2.3.4.', 'must be an IPv4'],
    ['+1.2.3.4', 'must be an IPv4'],
    ['١.2.3.4', 'must be an IPv4'], // an Arabic digit
    ['2130706433', 'must be an IPv4'],
    ['10.0.0.1:80', 'must be an IPv4'],
    ['[::1]', 'must be an IPv4'],
    ['[::1]:80', 'must be an IPv4'],
    ['fe80::1%eth0', 'must be an IPv4'],
    [':::', 'must be an IPv4'],
    [':1:2:3:4:5:6:7', 'must be an IPv4'],
    ['1:2:3:4:5:6:7:', 'must be an IPv4'],
    ['::1:2:3:4:5:6:7:8', 'must be an IPv4'],
    ['1:2:3:4:5:6:7:8::', 'must be an IPv4'],
    ['::00001', 'must be an IPv4'],
    ['1.2.3.4::', 'must be an IPv4'],
    ['localhost', 'must be an IPv4'],
    ['loopback', 'must be an IPv4'],
    ['/8', 'must be an IPv4'],
    ['10.0.0.0/', 'from 1 to 32'],
    ['10.0.0.0/08', 'from 1 to 32'],
    ['10.0.0.0/+8', 'from 1 to 32'],
    ['10.0.0.0/8 ', 'from 1 to 32'],
    ['10.0.0.0/8/8', 'from 1 to 32'],
    ['10.0.0.0/255.0.0.0', 'from 1 to 32'],
    ['10.0.0.0/33', 'from 1 to 32'],
    ['10.0.0.0/4294967304', 'from 1 to 32'],
    ['0.0.0.0/0', 'from 1 to 32'],
    ['0.0.0.0/00', 'from 1 to 32'],
    ['::/0', 'from 1 to 128'],
    ['::/129', 'from 1 to 128'],
    ['::ffff:0:0/96', 'from 97 to 128'],
    ['::ffff:10.0.0.0/8', 'from 97 to 128'],
    ['::ffff:0:0/95', 'from 97 to 128'],
    ['10.0.0.1/8', 'host bits are set; write 10.0.0.0/8'],
    ['::ffff:10.0.0.1/104', 'host bits are set; write 10.0.0.0/8'],
    ['2001:db8::1/64', 'host bits are set; write 2001:db8::/64'],
    ['128.0.0.1/1', 'host bits are set; write 128.0.0.0/1'],
  ])('%j is refused', (input, expected) => {
    expect(reason(input)).toContain(expected)
  })

  test('an IPv4 range contains no IPv6 address, and the reverse', () => {
    expect(containsAddress(range('::/1'), address('0.0.0.1'))).toBe(false)
    expect(containsAddress(range('::/1'), address('::ffff:0.0.0.1'))).toBe(false)
    expect(containsAddress(range('0.0.0.0/1'), address('::1'))).toBe(false)
    expect(containsAddress(range('0.0.0.0/1'), address('::ffff:1.2.3.4'))).toBe(true)
  })
})

describe('a list of entries', () => {
  test.each([
    ['one address', ['10.0.0.1'], ['10.0.0.1']],
    ['the given order', ['::1', '10.0.0.1'], ['::1', '10.0.0.1']],
    [
      'equal addresses once',
      ['10.0.0.1', '::1', '::ffff:10.0.0.1', '0:0::1/128', '10.0.0.1/32'],
      ['10.0.0.1', '::1'],
    ],
    ['a range and an address inside it', ['10.0.0.0/8', '10.0.0.0'], ['10.0.0.0/8', '10.0.0.0']],
    [
      'four different addresses',
      ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4', '1.1.1.1'],
      ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4'],
    ],
  ])('keeps %s', (_name, entries, expected) => {
    const parsed = parseIpList(entries)
    expect(parsed.ok && parsed.value.map((entry) => entry.text)).toEqual(expected)
  })

  test.each([
    ['no entry', [], 'at least one'],
    ['an empty entry', ['10.0.0.1', ''], 'must be an IPv4'],
    ['five different addresses', ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4', '5.5.5.5'], 'at most 4'],
    [
      'an invalid entry after four addresses',
      ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4', 'x'],
      'must be an IPv4',
    ],
  ])('refuses %s', (_name, entries, expected) => {
    const parsed = parseIpList(entries)
    expect(parsed.ok ? 'accepted' : parsed.reason).toContain(expected)
  })

  test.each([
    ['', ['']],
    ['1.2.3.4', ['1.2.3.4']],
    ['1.2.3.4 , ::1', ['1.2.3.4', '::1']],
    ['1.2.3.4,\t::1\t ,x', ['1.2.3.4', '::1', 'x']],
    [' 1.2.3.4 , ::1 ', [' 1.2.3.4', '::1 ']],
    ['1.2.3.4,', ['1.2.3.4', '']],
    [', ,', ['', '', '']],
    ['1 2 , 3', ['1 2', '3']],
    ['1.2.3.4\n,\u00a0::1', ['1.2.3.4\n', '\u00a0::1']],
  ])('%j splits into %j', (text, expected) => {
    expect(splitIpList(text)).toEqual(expected)
  })
})

test.each([
  ['203.0.113.77', '203.0.113.0/24', '203.0.113.77'],
  ['::ffff:203.0.113.77', '203.0.113.0/24', '203.0.113.77'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48', '2001:db8:1::/56'],
  ['::1', '::/48', '::/56'],
  [EDGE, 'ffff:ffff:ffff::/48', 'ffff:ffff:ffff:ff00::/56'],
])('%s is written %s in logs and %s in limits', (text, logged, key) => {
  expect(anonymizeAddress(address(text))).toBe(logged)
  expect(addressKey(address(text))).toBe(key)
})

test('all clients without a known address share one key in limits', () => {
  expect(addressKey(undefined)).toBe('unknown')
})

describe('properties', () => {
  const word32 = fc.nat({ max: 0xffffffff })
  const quad = word32.map((word) => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.'))
  // Groups near zero are frequent, so that runs of zeros and mapped addresses occur
  const group = fc.oneof(fc.constant(0), fc.constant(0xffff), fc.nat({ max: 0xffff }))
  const groups = fc.array(group, { minLength: 8, maxLength: 8 })
  const spell = (values: readonly number[]) => values.map((value) => value.toString(16)).join(':')
  const bits = (values: readonly number[]) =>
    BigInt(`0x${values.map((v) => v.toString(16).padStart(4, '0')).join('')}`)
  const isMapped = (values: readonly number[]) => bits(values) >> 32n === 0xffffn

  test('formats IPv6 as the URL standard does', () => {
    fc.assert(
      fc.property(groups, (values) => {
        fc.pre(!isMapped(values))
        const text = new URL(`http://[${spell(values)}]/`).hostname.slice(1, -1)
        expect(formatAddress(address(spell(values)))).toBe(text)
        expect(address(text)).toEqual(address(spell(values)))
      }),
      { numRuns: 2000 },
    )
  })

  test('parses every spelling of an IPv4-mapped address as the IPv4 address', () => {
    fc.assert(
      fc.property(word32, (word) => {
        const text = [24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.')
        const spellings = [
          `::ffff:${text}`,
          `0:0:0:0:0:FFFF:${text}`,
          `::ffff:${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`,
        ]
        expect(formatAddress(address(text))).toBe(text)
        for (const spelling of spellings) expect(address(spelling)).toEqual(address(text))
      }),
    )
  })

  test('accepts exactly the texts that isIP of Node accepts, except zones', () => {
    const valid = fc.oneof(
      quad,
      groups.map(spell),
      fc.ipV4(),
      fc.ipV6(),
      quad.map((text) => `::ffff:${text}`),
    )
    const damaged = fc
      .tuple(
        valid,
        fc.nat(),
        fc.nat({ max: 2 }),
        fc.constantFrom(...'0123456789abfAFg:./%[] -+x\0', '::', '00', ''),
      )
      .map(([text, at, cut, put]) => {
        const index = at % (text.length + 1)
        return text.slice(0, index) + put + text.slice(index + cut)
      })
    fc.assert(
      fc.property(fc.oneof(valid, damaged, damaged, fc.string()), (text) => {
        expect(parseAddress(text) !== undefined).toBe(isIP(text) !== 0 && !text.includes('%'))
      }),
      { numRuns: 10_000 },
    )
  })

  test('refuses a range with host bits, and accepts it without', () => {
    fc.assert(
      fc.property(groups, fc.integer({ min: 1, max: 128 }), fc.boolean(), (values, prefix, cut) => {
        const host = (1n << BigInt(128 - prefix)) - 1n
        const value = cut ? bits(values) & ~host : bits(values)
        const hex = value.toString(16).padStart(32, '0')
        const text = hex.match(/.{4}/g)?.join(':') ?? ''
        fc.pre(value >> 32n !== 0xffffn)
        expect(parseIpRange(`${text}/${prefix}`).ok).toBe((value & host) === 0n)
      }),
      { numRuns: 2000 },
    )
  })

  test('a range contains the same addresses as in a BlockList of Node', () => {
    const nearby = fc.tuple(groups, fc.nat({ max: 127 })).map(([values, flip]) => {
      const other = [...values]
      other[flip >> 4] = (other[flip >> 4] ?? 0) ^ (0x8000 >> (flip & 15)) // differs in one bit
      return [values, other] as const
    })
    const cases = fc.oneof(
      nearby.map(([a, b]) => [spell(a), spell(b), 128, 'ipv6'] as const),
      fc.tuple(groups, groups).map(([a, b]) => [spell(a), spell(b), 128, 'ipv6'] as const),
      fc.tuple(quad, quad).map(([a, b]) => [a, b, 32, 'ipv4'] as const),
      fc
        .tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 }))
        .map(([a, b]) => [`10.0.${a}.1`, `10.0.${b}.1`, 32, 'ipv4'] as const),
    )
    fc.assert(
      fc.property(cases, fc.nat({ max: 127 }), ([base, other, most, family], length) => {
        const prefix = (length % most) + 1
        fc.pre(family === 'ipv4' || (address(base).family === 6 && address(other).family === 6))
        const list = new BlockList()
        list.addSubnet(base, prefix, family)
        const written = reason(`${base}/${prefix}`).split('write ')[1] ?? `${base}/${prefix}`
        expect(containsAddress(range(written), address(other))).toBe(list.check(other, family))
        expect(containsAddress(range(written), address(base))).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })

  test('parsing canonical text gives the same text again', () => {
    const entry = fc
      .tuple(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), fc.option(fc.nat({ max: 130 }), { nil: undefined }))
      .map(([text, length]) => (length === undefined ? text : `${text}/${length}`))
    fc.assert(
      fc.property(entry, (text) => {
        const stored = canonical(text)
        if (stored !== null) expect(canonical(stored)).toBe(stored)
      }),
      { numRuns: 5000 },
    )
  })
})
