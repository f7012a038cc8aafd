// The client's address behind proxies: test cases of proxy-addr, a table for both headers, and forged headers.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ForwardedHeader,
  isTrustedPeer,
  parseTrustedProxies,
  resolveClientIp,
  type TrustedProxies,
} from '../../src/claims/client-ip.ts'
import { formatAddress, parseAddress } from '../../src/claims/ip.ts'
import proxyAddr from '../vectors/ip/proxy-addr.json' with { type: 'json' }

/** A parsed setting; the text `none` stands for a missing setting. */
function trust(text: string): TrustedProxies {
  if (text === 'none') return { kind: 'none' }
  const parsed = parseTrustedProxies(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.reason}`)
  return parsed.value
}

/** The client's canonical address, null for no address. */
function resolve(
  setting: string,
  peer: string | undefined,
  header: string | undefined,
  kind?: ForwardedHeader,
) {
  const address = resolveClientIp(peer, header, trust(setting), kind)
  return address === undefined ? null : formatAddress(address)
}

describe('test cases of proxy-addr', () => {
  test.each(proxyAddr.chains)('$peer, "$header" behind $trust: $expect ($rule)', (row) => {
    // The same answer as proxy-addr, unless that is not an address
    if (row.rule === 'same') expect(row.expect).toBe(row.source)
    else expect([row.expect, parseAddress(row.source ?? '')]).toEqual([null, undefined])
    expect(resolve(row.trust, row.peer ?? undefined, row.header ?? undefined)).toBe(row.expect)
  })

  test.each(proxyAddr.accepted)('trusts %s', (text) => {
    expect(parseTrustedProxies(text).ok).toBe(true)
  })

  test.each(proxyAddr.refused)('refuses the setting $trust ($rule)', ({ trust: text }) => {
    expect(parseTrustedProxies(text).ok).toBe(false)
  })
})

describe('the setting', () => {
  test.each([
    ['0', { kind: 'hops', count: 0 }],
    ['1', { kind: 'hops', count: 1 }],
    ['50', { kind: 'hops', count: 50 }],
  ])('%s is a hop count', (text, expected) => {
    expect(trust(text)).toEqual(expected)
  })

  test.each([
    ['loopback', ['127.0.0.0/8', '::1']],
    ['10.0.0.0/8', ['10.0.0.0/8']],
    ['loopback , 192.0.2.1,2001:DB8::/32', ['127.0.0.0/8', '::1', '192.0.2.1', '2001:db8::/32']],
    ['1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4,5.5.5.5', ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4', '5.5.5.5']],
  ])('%s is a list of ranges', (text, expected) => {
    const setting = trust(text)
    expect(setting.kind === 'ranges' && setting.ranges.map((range) => range.text)).toEqual(expected)
  })

  test.each([
    ['51', 'at most 50'],
    ['99999999999999999999', 'at most 50'],
    ['01', 'must be an IPv4'],
    ['-1', 'must be an IPv4'],
    ['1.5', 'must be an IPv4'],
    ['1e1', 'must be an IPv4'],
    ['1,10.0.0.0/8', 'must be an IPv4'],
    ['', 'must be an IPv4'],
    [' loopback', 'must be an IPv4'],
    ['Loopback', 'must be an IPv4'],
    ['private', 'must be an IPv4'],
    ['true', 'must be an IPv4'],
    ['*', 'must be an IPv4'],
    ['10.0.0.0/8,', 'must be an IPv4'],
    ['0.0.0.0/0', 'from 1 to 32'],
    ['::/0', 'from 1 to 128'],
    ['10.0.0.1/8', 'write 10.0.0.0/8'],
  ])('%j is refused', (text, expected) => {
    const parsed = parseTrustedProxies(text)
    expect(parsed.ok ? 'accepted' : parsed.reason).toContain(expected)
  })

  test.each([
    ['none', '127.0.0.1', false],
    ['0', '127.0.0.1', false],
    ['1', '203.0.113.7', true],
    ['1', undefined, true],
    ['loopback', '127.9.9.9', true],
    ['loopback', '::ffff:127.0.0.1', true],
    ['loopback', '::1', true],
    ['loopback', '::2', false],
    ['loopback', 'localhost', false],
    ['loopback', undefined, false],
  ])('%s: peer %s trusted: %s', (text, peer, expected) => {
    expect(isTrustedPeer(peer, trust(text))).toBe(expected)
  })
})

/** A header with this many entries: the address of a client, then trusted hops. */
function chain(entries: number): string {
  return ['203.0.113.7', ...new Array<string>(entries - 1).fill('10.0.0.9')].join(', ')
}

describe('X-Forwarded-For', () => {
  const PEER = '10.0.0.1'
  test.each([
    // setting, peer, header, client
    ['none', PEER, '203.0.113.7', PEER],
    ['none', '::ffff:10.0.0.1', undefined, PEER],
    ['none', 'fe80::1%eth0', undefined, null],
    ['10.0.0.0/8', '192.0.2.1', '203.0.113.7', '192.0.2.1'], // not a trusted proxy: its header is ignored
    ['10.0.0.0/8', PEER, undefined, PEER],
    ['10.0.0.0/8', undefined, '203.0.113.7', null],
    ['10.0.0.0/8', 'unix', '203.0.113.7', null],
    ['10.0.0.0/8', PEER, '203.0.113.7', '203.0.113.7'],
    ['10.0.0.0/8', '::ffff:10.0.0.1', '::ffff:203.0.113.7', '203.0.113.7'],
    ['10.0.0.0/8', PEER, '2001:DB8:0::1', '2001:db8::1'],
    ['10.0.0.0/8', PEER, '6.6.6.6, 203.0.113.7', '203.0.113.7'], // the leftmost entry is written by the client
    ['10.0.0.0/8', PEER, '6.6.6.6,\t203.0.113.7 ,10.0.0.2', '203.0.113.7'],
    ['10.0.0.0/8', PEER, '10.0.0.3, 10.0.0.2', '10.0.0.3'], // all trusted: the leftmost
    ['10.0.0.0/8', PEER, 'garbage, 203.0.113.7', '203.0.113.7'],
    ['10.0.0.0/8', PEER, 'garbage, 10.0.0.2', null],
    ['10.0.0.0/8', PEER, '203.0.113.7, garbage', null],
    ['10.0.0.0/8', PEER, '203.0.113.7, garbage, 10.0.0.2', null],
    // hops that are not plain addresses
    ['10.0.0.0/8', PEER, '', null],
    ['10.0.0.0/8', PEER, ' ', null],
    ['10.0.0.0/8', PEER, '203.0.113.7,', null],
    ['10.0.0.0/8', PEER, '203.0.113.7, , 10.0.0.2', null],
    ['10.0.0.0/8', PEER, '1.2.3.4:80', '1.2.3.4'],
    ['10.0.0.0/8', PEER, '[2001:db8::1]', '2001:db8::1'],
    ['10.0.0.0/8', PEER, '[2001:db8::1]:80', '2001:db8::1'],
    ['10.0.0.0/8', PEER, '1.2.3.4:70000', null],
    ['10.0.0.0/8', PEER, '1.2.3.4:', null],
    ['10.0.0.0/8', PEER, '[1.2.3.4]:80', null],
    ['10.0.0.0/8', PEER, '1.2.3.4:_p', '1.2.3.4'],
    ['10.0.0.0/8', PEER, '"203.0.113.7"', null],
    ['10.0.0.0/8', PEER, 'unknown', null],
    ['10.0.0.0/8', PEER, 'localhost', null],
    ['10.0.0.0/8', PEER, 'fe80::1%eth0', null],
    ['10.0.0.0/8', PEER, '203.0.113.0/24', null],
    ['10.0.0.0/8', PEER, '203.0.113.7\u00a0', null],
    ['10.0.0.0/8', PEER, '203.0.113.7, 012.0.0.2', null], // not the trusted 10.0.0.2
    ['10.0.0.0/8', PEER, '203.0.113.7, 167772162', null],
    // hop counts
    ['0', PEER, '203.0.113.7', PEER],
    ['1', PEER, '6.6.6.6, 203.0.113.7', '203.0.113.7'],
    ['2', PEER, '6.6.6.6, 203.0.113.7, 10.0.0.2', '203.0.113.7'],
    ['3', PEER, '203.0.113.7, 10.0.0.3, 10.0.0.2', '203.0.113.7'],
    ['1', undefined, '203.0.113.7', '203.0.113.7'], // a Unix socket has no peer address
    ['1', PEER, undefined, null],
    ['1', PEER, '', null],
    ['2', PEER, '203.0.113.7', null],
    ['1', PEER, '203.0.113.7, unknown', null],
    ['2', PEER, 'unknown, 10.0.0.2', null],
    ['1', PEER, 'a, b:c, "d, 203.0.113.7', '203.0.113.7'], // earlier entries do not matter
    ['2', PEER, '203.0.113.7, unknown', '203.0.113.7'], // nor do later ones
    // length
    ['10.0.0.0/8', PEER, chain(50), '203.0.113.7'],
    ['10.0.0.0/8', PEER, chain(51), null],
    ['50', PEER, chain(50), '203.0.113.7'],
    ['1', PEER, chain(50), '10.0.0.9'],
    ['1', PEER, chain(51), null],
    ['1', PEER, ','.repeat(20_000), null],
    ['none', PEER, chain(51), PEER],
    ['10.0.0.0/8', '192.0.2.1', chain(51), '192.0.2.1'],
  ])('%s, peer %s, %j: %s', (setting, peer, header, expected) => {
    expect(resolve(setting, peer, header)).toBe(expected)
    if (header === undefined)
      expect(resolveClientIp(peer, null, trust(setting))).toEqual(
        resolveClientIp(peer, header, trust(setting)),
      )
  })
})

describe('Forwarded (RFC 7239)', () => {
  test.each([
    // setting, header, client; the peer is 10.0.0.1
    ['10.0.0.0/8', undefined, '10.0.0.1'],
    ['none', 'for=203.0.113.7', '10.0.0.1'],
    ['0', 'for=203.0.113.7', '10.0.0.1'],
    ['1', undefined, null],
    // the RFC's own examples
    ['1', 'for="_gazonk"', null],
    ['1', 'For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['1', 'for=192.0.2.60;proto=http;by=203.0.113.43', '192.0.2.60'],
    ['1', 'for=192.0.2.43, for=198.51.100.17', '198.51.100.17'],
    ['2', 'for=192.0.2.43, for=198.51.100.17', '192.0.2.43'],
    ['2', 'for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown', '2001:db8:cafe::17'],
    ['1', 'for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown', null],
    ['2', 'for=_hidden, for=_SEVKISEK', null],
    ['2', 'for=192.0.2.43,   for="[2001:db8:cafe::17]"', '192.0.2.43'],
    ['1', 'for=192.0.2.43,   for="[2001:db8:cafe::17]"', '2001:db8:cafe::17'],
    // spellings
    ['1', 'FOR=203.0.113.7', '203.0.113.7'],
    ['1', 'for="203.0.113.7"', '203.0.113.7'],
    ['1', 'for="203.0.113\\.7"', '203.0.113.7'],
    ['1', 'for="[::FFFF:203.0.113.7]"', '203.0.113.7'],
    ['1', ' by=_x ; for=203.0.113.7; proto=https ', '203.0.113.7'],
    ['1', ';for=203.0.113.7;', '203.0.113.7'],
    ['1', 'by="[2001:db8::2]:80";for="[2001:db8::1]";host="a,b;for=6.6.6.6"', '2001:db8::1'],
    ['1', 'for=203.0.113.7;host="a\\"b, for=6.6.6.6"', '203.0.113.7'],
    ['1', 'for=203.0.113.7;host="a\\\\", for=198.51.100.17', '198.51.100.17'],
    ['2', 'for=203.0.113.7;host="a\\\\", for=198.51.100.17', '203.0.113.7'],
    ['1', 'host="x, for=6.6.6.6";for=203.0.113.7', '203.0.113.7'],
    // not a plain address
    ['1', 'for="203.0.113.7:80"', '203.0.113.7'],
    ['1', 'for="203.0.113.7:_p"', '203.0.113.7'],
    ['1', 'for="[2001:db8::1]:80"', '2001:db8::1'],
    ['1', 'for=2001:db8::1', null],
    ['1', 'for="2001:db8::1"', null],
    ['1', 'for=[2001:db8::1]', null],
    ['1', 'for="[203.0.113.7]"', null],
    ['1', 'for="[2001:db8::1"', null],
    ['1', 'for="[fe80::1%eth0]"', null],
    ['1', 'for="[]"', null],
    ['1', 'for=""', null],
    ['1', 'for=', null],
    ['1', 'for', null],
    ['1', 'for=012.0.0.2', null],
    ['1', 'for=" 203.0.113.7"', null],
    ['1', 'by=203.0.113.43;proto=http', null],
    ['1', 'x-for=203.0.113.7', null],
    ['1', '203.0.113.7', null],
    ['1', '', null],
    ['1', 'for=203.0.113.7,', null],
    // malformed
    ['1', 'for=203.0.113.7;for=203.0.113.7', null],
    ['1', 'for=6.6.6.6;FOR=203.0.113.7', null],
    ['1', 'for =203.0.113.7', null],
    ['1', 'for= 203.0.113.7', null],
    ['1', 'for=203.0.113.7 proto=http', null],
    ['1', 'for="203.0.113.7', null],
    ['1', 'for=203.0.113.7"', null],
    ['1', 'for="203.0.113.7"x', null],
    ['1', "for='203.0.113.7'", null],
    ['1', 'for=203.0.113.7;host="a', null],
    ['1', 'for=203.0.113.7;host=a"b"', null],
    ['1', 'for=203.0.113.7;host="a\\"', null],
    ['1', 'for=203.0.113.7;=x', null],
    ['1', 'for=203.0.113.7;proto', null],
    // the part that the client sent cannot hide the part that the proxy appended
    ['1', 'for=6.6.6.6;x=", for=203.0.113.7', '203.0.113.7'],
    ['1', 'for=6.6.6.6;x=", for="[2001:db8::1]"', '2001:db8::1'],
    ['1', 'for=6.6.6.6;x=", for="[2001:db8::1]";by="_y"', '2001:db8::1'],
    ['1', '"\\, for=203.0.113.7', '203.0.113.7'],
    ['2', 'for=6.6.6.6;x=", for=203.0.113.7', null],
    // chains of trusted hops
    ['10.0.0.0/8', 'for=6.6.6.6, for=203.0.113.7, for=10.0.0.2', '203.0.113.7'],
    ['10.0.0.0/8', 'for=10.0.0.3, for="10.0.0.2"', '10.0.0.3'],
    ['10.0.0.0/8', 'for=203.0.113.7, proto=http, for=10.0.0.2', null],
    ['10.0.0.0/8', 'for=203.0.113.7, for="10.0.0.2:80"', '203.0.113.7'],
    // length
    ['50', `for=203.0.113.7${', for=10.0.0.2'.repeat(49)}`, '203.0.113.7'],
    ['1', `for=203.0.113.7${', for=10.0.0.2'.repeat(49)}`, '10.0.0.2'],
    ['1', `for=203.0.113.7${', for=10.0.0.2'.repeat(50)}`, null],
    ['1', `for=203.0.113.7;x="${','.repeat(100)}"`, '203.0.113.7'],
  ])('%s, %j: %s', (setting, header, expected) => {
    expect(resolve(setting, '10.0.0.1', header, 'forwarded')).toBe(expected)
  })

  test.each([' ', '\t', ';', '\\', '"', '\\"', 'a', 'a=', 'a=b;', ',', '="\\'])(
    'reads a long run of %j in linear time',
    (part) => {
      const started = performance.now()
      for (const start of [
        'for=203.0.113.7',
        'for=203.0.113.7;',
        'for=203.0.113.7;x=',
        'for=203.0.113.7;x="',
      ]) {
        expect(resolve('1', '10.0.0.1', `${start}${part.repeat(200_000)}@`, 'forwarded')).toBe(null)
      }
      expect(performance.now() - started).toBeLessThan(1000)
    },
  )
})

describe('properties', () => {
  const kinds: readonly ForwardedHeader[] = ['x-forwarded-for', 'forwarded']
  const trusted = fc.nat({ max: 255 }).map((octet) => `10.0.0.${octet}`)
  const client = fc
    .oneof(fc.ipV4(), fc.ipV6())
    .filter((text) => !(resolve('none', text, undefined) ?? '').startsWith('10.0.0.'))
  const settings = fc.constantFrom('none', '0', '1', '3', '10.0.0.0/24', 'loopback')
  const junk = fc.oneof(
    fc.string(),
    fc
      .array(fc.constantFrom('for=', '6.6.6.6', '"', '\\', ',', ';', ' ', '[::1]', 'x=', '10.0.0.1'), {
        maxLength: 30,
      })
      .map((parts) => parts.join('')),
  )
  const write = (hop: string, kind: ForwardedHeader) =>
    kind === 'x-forwarded-for' ? hop : `for=${hop.includes(':') ? `"[${hop}]"` : hop};by="_p,\\"x"`

  test('only the entries that proxies wrote decide, whatever the client sends', () => {
    fc.assert(
      fc.property(
        junk,
        client,
        fc.array(trusted, { maxLength: 5 }),
        fc.constantFrom(...kinds),
        (forged, honest, proxies, kind) => {
          fc.pre(forged.split(',').length <= 40)
          const header = [forged, ...[honest, ...proxies].map((hop) => write(hop, kind))].join(', ')
          const expected = resolve('none', honest, undefined)
          expect(resolve('10.0.0.0/24', '10.0.0.1', header, kind)).toBe(expected)
          expect(resolve(String(proxies.length + 1), '10.0.0.1', header, kind)).toBe(expected)
          expect(resolve('10.0.0.0/24', honest, header, kind)).toBe(expected)
        },
      ),
      { numRuns: 5000 },
    )
  })

  test('the same chain gives the same client in both headers', () => {
    fc.assert(
      fc.property(
        settings,
        trusted,
        fc.array(fc.oneof(client, trusted), { minLength: 1, maxLength: 60 }),
        (setting, peer, hops) => {
          const [plain, standard] = kinds.map((kind) =>
            resolve(setting, peer, hops.map((hop) => write(hop, kind)).join(', '), kind),
          )
          expect(standard).toBe(plain)
        },
      ),
    )
  })

  test('never throws, and returns no address other than the peer and those in the header', () => {
    fc.assert(
      fc.property(
        settings,
        fc.oneof(junk, trusted, client),
        junk,
        fc.constantFrom(...kinds),
        (setting, peer, header, kind) => {
          const found = resolve(setting, peer, header, kind)
          // The addresses that the header may name (in quoted text a backslash stands before any character), and the peer.
          const plain = header
            .replaceAll('\\', '')
            .split(/[,;=[\]" \t]/)
            .concat(peer)
          if (found !== null) expect(plain.map((text) => resolve('none', text, undefined))).toContain(found)
        },
      ),
      { numRuns: 5000 },
    )
  })
})
