// Allowed origins: accepted patterns, matching, and refused attempts to bypass an allow-list.

import { getPublicSuffix } from 'tldts'
import { describe, expect, test } from 'vitest'
import {
  matchOrigin,
  parseOriginPattern,
  parseOriginPatterns,
  patternsMatching,
} from '../../src/claims/origin-pattern.ts'

/** The real list of public suffixes, with its private section. */
function isPublicSuffix(host: string): boolean {
  return getPublicSuffix(host, { allowPrivateDomains: true }) === host
}

function split(texts: string): string[] {
  return texts.trim().split(/\s+/)
}

const ACCEPTED = [
  ['*', '*'],
  ['https://www.example.com', 'https://www.example.com'],
  ['HTTPS://WWW.Example.com:443', 'https://www.example.com'],
  ['http://example.com:8080', 'http://example.com:8080'],
  ['https://example.com.', 'https://example.com.'],
  ['https://github.io', 'https://github.io'],
  ['https://Bücher.example', 'https://xn--bcher-kva.example'],
  ['https://192.0.2.1', 'https://192.0.2.1'],
  ['https://[2001:DB8::1]:8443', 'https://[2001:db8::1]:8443'],
  ['https://*.example.com', 'https://*.example.com'],
  ['HTTPS://*.Example.COM:443', 'https://*.example.com'],
  ['http://*.example.com:80', 'http://*.example.com'],
  ['https://*.example.com:8443', 'https://*.example.com:8443'],
  ['https://*.a.b.example.com', 'https://*.a.b.example.com'],
  ['https://*.example.co.uk', 'https://*.example.co.uk'],
  ['https://*.me.github.io', 'https://*.me.github.io'],
  ['https://*.bücher.example', 'https://*.xn--bcher-kva.example'],
  ['https://*.app.localhost', 'https://*.app.localhost'],
  ['http://localhost', 'http://localhost'],
  ['http://localhost:3000', 'http://localhost:3000'],
  ['http://localhost:*', 'http://localhost:*'],
  ['HTTPS://LOCALHOST:*', 'https://localhost:*'],
  ['http://127.0.0.1:*', 'http://127.0.0.1:*'],
  ['https://[::1]:*', 'https://[::1]:*'],
  ['capacitor://localhost', 'capacitor://localhost'],
  ['Chrome-Extension://ABCDEF', 'chrome-extension://ABCDEF'],
  ['app://.', 'app://.'],
  ['Tauri://Some.Host_1-', 'tauri://Some.Host_1-'],
  // Copied from an address bar.
  ['https://www.example.com/', 'https://www.example.com'],
  ['https://*.Example.com:8443/', 'https://*.example.com:8443'],
  ['http://localhost:*/', 'http://localhost:*'],
  ['http://[::1]:5173/', 'http://[::1]:5173'],
  ['ionic://localhost/', 'ionic://localhost'],
] as const

const REFUSED: Record<string, readonly string[]> = {
  'ends after the host or port': split(`
    https://example.com// https://example.com/path https://example.com/path/ https://example.com? https://example.com/?
    https://example.com?/ https://example.com# https://example.com#/ https://example.com/./ https:///example.com
    https:///example.com/ https://*.example.com// https://*.example.com/* https://*.example.com/*/ http://localhost:*//
    https://a.example,https://b.example https://a.example/,https://b.example/`),
  '* is allowed only alone, before a domain': [
    ...split(`
    ** */ *.example.com //*.example.com *://example.com http*://example.com https://* https://*:8443
    https://**.example.com https://*.*.example.com https://*example.com https://www*.example.com
    https://www.*.example.com https://example.* https://*。example.com https://example.com:* https://*.example.com:*
    https://app.localhost:* http://localhost.:* http://localhost:80* http://localhost:80:* http://127.0.0.2:* http://127.0.0x1:* http://127x0.0.1:* http://127.0x0.1:*
    http://user@localhost:* capacitor://* capacitor://localhost:*`),
    ' *',
    'http://localhost:*\n',
  ],
  'one host, not a wildcard': split('https://%2a.example.com https://\uff0a.example.com https://*.%2a.com'),
  'before a domain name': split(`
    https://*.0.0.1 https://*.127.0.0.1 https://*.1.2 https://*.0x7f.1 https://*.2130706433 https://*.[::1]
    https://*.[2001:db8::1]:8443 https://*.example.com. https://*.com.`),
  'must cover one owner only': split(`
    https://*.com https://*.localhost http://*.localhost:3000 https://*.internal https://*.co.uk
    https://*.CO.UK:8443 https://*.c%6F.uk https://*.github.io https://*.vercel.app https://*.公司.cn
    https://*.xn--55qx5d.cn`),
  'no blank, backslash, user name or password': [
    ...split('https://*.user@example.com https://*.example.com\\ https://user:password@example.com'),
    'https://*. example.com',
    'https://example.com ',
  ],
  'labels of 1 to 63': split(`https://*..example.com https://*.example..com https://*.${'a'.repeat(64)}.com`),
  'not a URL that a browser understands': split(
    'https://*. https://*.example.com:65536 https://*.exa<mple.com https://*.example.1',
  ),
  'internationalised host name': split('https://*.xn--a.example https://xn--a.example'),
  'write the whole origin': [
    '',
    ...split(
      'null localhost example.com example.com/ capacitor://localhost// capacitor://localhost/x file://x',
    ),
    ...split('localhost/ file:/// /'),
  ],
}

describe('parseOriginPattern', () => {
  test.each(ACCEPTED)('%s', (text, pattern) => {
    expect(parseOriginPattern(text, isPublicSuffix)).toEqual({ ok: true, value: pattern })
    expect(parseOriginPattern(pattern, isPublicSuffix)).toEqual({ ok: true, value: pattern })
  })

  const refused = Object.entries(REFUSED).flatMap(([reason, texts]) => texts.map((text) => [text, reason]))
  test.each(refused)('refuses %j: %s', (text, reason) => {
    const answer = { ok: false, reason: expect.stringContaining(reason as string) }
    expect(parseOriginPattern(text as string, isPublicSuffix)).toEqual(answer)
  })

  test('asks the list of public suffixes only about the lower-case ASCII name after the wildcard', () => {
    const asked: string[] = []
    const ask = (host: string) => asked.push(host) > 2
    const answers = [
      'https://*.BÜCHER.Example:8443',
      'http://*.a.b',
      'https://*.c.d',
      'https://e.f',
      'app://g.h',
    ]
    expect(answers.map((text) => parseOriginPattern(text, ask).ok)).toEqual([true, true, false, true, true])
    expect(asked).toEqual(['xn--bcher-kva.example', 'a.b', 'c.d'])
  })

  test.each(['https://*.com', 'https://*.localhost', 'https://*.localhost:3000'])(
    'refuses %s, also when the list of public suffixes would allow it',
    (text) => {
      expect(parseOriginPattern(text, () => false).ok).toBe(false)
    },
  )
})

describe('parseOriginPatterns', () => {
  const many = Array.from({ length: 100 }, (_, index) => `https://s${index}.example.com`)

  test.each<[string, string[], string[]]>([
    ['one', ['https://Example.com'], ['https://example.com']],
    [
      'duplicates are removed, the order is kept',
      ['https://b.example', 'HTTPS://B.example:443', 'app://a', 'https://b.example'],
      ['https://b.example', 'app://a'],
    ],
    [
      'with and without a slash are the same',
      ['https://a.example/', 'https://a.example'],
      ['https://a.example'],
    ],
    ['* alone', ['*'], ['*']],
    ['* alone, twice', ['*', '*'], ['*']],
    ['a hundred', many, many],
  ])('%s', (_, texts, patterns) => {
    expect(parseOriginPatterns(texts, isPublicSuffix)).toEqual({ ok: true, value: patterns })
  })

  test.each<[string, string[], string]>([
    ['none', [], '1 to 100'],
    ['a hundred and one', [...many, 'https://example.com'], '1 to 100'],
    ['* among others', ['https://example.com', '*'], 'must be the only entry'],
    [
      'a bad entry',
      ['https://example.com', 'https://example.com/a'],
      'entry 2: an allowed origin ends after',
    ],
    ['an empty entry', [''], 'entry 1: write the whole origin'],
  ])('refuses %s', (_, texts, reason) => {
    expect(parseOriginPatterns(texts, isPublicSuffix)).toEqual({
      ok: false,
      reason: expect.stringContaining(reason),
    })
  })
})

describe('patternsMatching', () => {
  test.each<[string, string[]]>([
    ['https://example.com', ['https://example.com', '*']],
    ['https://a.example.com', ['https://a.example.com', 'https://*.example.com', '*']],
    [
      'http://c.b.example.com:81',
      ['http://c.b.example.com:81', 'http://*.b.example.com:81', 'http://*.example.com:81', '*'],
    ],
    ['http://localhost', ['http://localhost', 'http://localhost:*', '*']],
    ['https://localhost:3000', ['https://localhost:3000', 'https://localhost:*', '*']],
    ['http://127.0.0.1:3000', ['http://127.0.0.1:3000', 'http://127.0.0.1:*', '*']],
    ['http://[::1]:3000', ['http://[::1]:3000', 'http://[::1]:*', '*']],
    ['http://192.0.2.1', ['http://192.0.2.1', '*']],
    ['http://[2001:db8::1]', ['http://[2001:db8::1]', '*']],
    ['https://a.example.com.', ['https://a.example.com.', '*']],
    ['http://app.localhost:3000', ['http://app.localhost:3000', '*']],
    ['capacitor://localhost', ['capacitor://localhost']],
    ['app://a.example.com', ['app://a.example.com']],
  ])('%s', (origin, patterns) => {
    expect(patternsMatching(origin)).toEqual(patterns)
  })

  test('the longest name matches 127 patterns', () => {
    expect(patternsMatching(`https://${'a.'.repeat(126)}a`).length).toBe(127)
  })

  test.each([
    '',
    '*',
    'null',
    'https://*.example.com',
    'http://localhost:*',
    'HTTPS://example.com',
    'https://Example.com',
    'https://example.com:443',
    'https://example.com/',
    'https://example.com ',
    'https://user@example.com',
    'https://bücher.example',
    'http://2130706433',
    'http://[0::1]',
    'Capacitor://localhost',
    'file://',
  ])('%j matches no pattern', (text) => {
    expect(patternsMatching(text)).toEqual([])
  })

  // Every accepted pattern above with origins of every kind, compared with `isMeant`.
  test('agrees with a direct implementation of the rules', () => {
    const hosts = [
      'example.com',
      'a.example.com',
      'b.a.example.com',
      'aexample.com',
      'example.com.au',
      'a.b.c',
    ]
    hosts.push(
      'www.example.com',
      'x.a.b.example.com',
      'localhost',
      'app.localhost',
      'x.app.localhost',
      '127.0.0.1',
    )
    hosts.push(
      '[::1]',
      '192.0.2.1',
      '[2001:db8::1]',
      'me.github.io',
      'x.me.github.io',
      'x.xn--bcher-kva.example',
    )
    const ports = ['', ':3000', ':8080', ':8443']
    const origins = ['http', 'https', 'capacitor', 'chrome-extension'].flatMap((scheme) =>
      hosts.flatMap((host) => ports.map((port) => `${scheme}://${host}${port}`)),
    )
    let matches = 0
    for (const [, pattern] of ACCEPTED) {
      for (const origin of origins) {
        const expected = isMeant(pattern, origin)
        matches += expected ? 1 : 0
        expect([pattern, origin, matchOrigin([pattern], origin)]).toEqual([pattern, origin, expected])
      }
    }
    expect(matches).toBeGreaterThan(ACCEPTED.length)
  })
})

/** The rules of matching, written directly: `pattern` and `origin` are canonical. */
function isMeant(pattern: string, origin: string): boolean {
  if (pattern === '*') return origin.startsWith('http')
  if (pattern.endsWith(':*')) return `${origin}:`.startsWith(pattern.slice(0, -1))
  const [scheme = '', parent] = pattern.split('*')
  if (parent === undefined) return pattern === origin
  return origin.startsWith(scheme) && origin.endsWith(parent) && origin.length > pattern.length - 1
}

describe('attempts to bypass an allow-list', () => {
  const allowed = split(`
    https://example.com https://*.shop.example https://site.example:8443 http://127.0.0.1:* http://[::1]:*
    capacitor://localhost https://xn--bcher-kva.example`)

  test('the allowed origins pass', () => {
    const right = ['https://example.com', 'https://a.shop.example', 'https://b.a.shop.example']
    right.push('https://site.example:8443', 'http://127.0.0.1:81', 'http://[::1]', 'capacitor://localhost')
    expect(right.filter((origin) => !matchOrigin(allowed, origin))).toEqual([])
  })

  const hidden = ['%60', '%00', '%2e', '%2f', '\u00a0', '\u00ad', '\u200b', '\uff0f']
  const ends = [...'/?#\\@:%^|<>[] \t\r\n\0', ...hidden]
  const odd = [...'_-"{}+`!~;&\'()*,$=', ...ends]
  const CLASSES: Record<string, readonly string[]> = {
    prefix: split('https://example.com.evil.test https://example.comevil.test https://example.com-evil.test'),
    suffix: split('https://evilexample.com https://evil-example.com https://evilshop.example'),
    'unescaped dot': split('https://examplexcom https://a.shopxexample https://axshop.example'),
    null: ['', ...split('null Null https://null null:// undefined about:blank about:srcdoc data:')],
    subdomain: split(`
      https://a.example.com https://a.site.example:8443 https://shop.example https://.shop.example`),
    'http downgrade': split(`
      http://example.com http://a.shop.example http://site.example:8443 ws://example.com`),
    'another scheme': split('https://127.0.0.1:81 ionic://localhost https://localhost httpsx://example.com'),
    'characters that end a host': ends.map((character) => `https://evil.test${character}.shop.example`),
    'odd characters after': odd.map((character) => `https://example.com${character}.evil.test`),
    'odd characters at the end': odd.map((character) => `https://example.com${character}`),
    'odd characters in front': odd.map((character) => `https://${character}example.com`),
    ports: split(`
      https://example.com:443 https://example.com:8443 https://example.com: https://site.example
      https://site.example:84433 https://a.shop.example:8443 https://a.shop.example:443 http://127.0.0.1:81:82`),
    'trailing dot': split(`
      https://example.com. https://a.shop.example. https://example.com.. http://127.0.0.1.`),
    'user info': split(`
      https://example.com@evil.test https://evil.test@example.com https://x:y@a.shop.example`),
    // Cyrillic a and p, a full-width e that the URL standard would fold
    homographs: split(`
      https://ex\u0430mple.com https://xn--exmple-4nf.com https://a.sho\u0440.example https://\uff45xample.com
      https://bücher.example https://xn--bcher-kv8.example`),
    NUL: split('https://example.com\0 https://example.com\0.evil.test https://evil.test\0.shop.example'),
    lists: [
      'https://example.com https://evil.test',
      'https://example.com, https://evil.test',
      ...split('https://example.com,https://example.com https://evil.test,https://a.shop.example'),
    ],
    'IPv6 literals': split('http://[::2] http://[::1].evil.test http://[0:0:0:0:0:0:0:1] http://[::1%25lo]'),
    'other spellings': split(`
      https://EXAMPLE.com HTTPS://example.com https://example.com/ https:///example.com
      http://[::ffff:7f00:1] http://2130706433 http://127.1 http://0177.0.0.1`),
    'a pattern itself': split('* https://*.shop.example http://127.0.0.1:* https://example.com|https://x'),
    'many labels': split(`https://${'a.'.repeat(200)}shop.example https://${'a'.repeat(64)}.shop.example`),
  }
  test.each(Object.entries(CLASSES))('%s', (_, origins) => {
    expect(origins.length).toBeGreaterThan(1)
    expect(origins.filter((origin) => matchOrigin(allowed, origin))).toEqual([])
  })

  test('* matches canonical web origins, but not "null" or an app origin', () => {
    expect(matchOrigin(['*'], 'https://anything.test:81')).toBe(true)
    const wrong = ['null', 'capacitor://localhost', 'https://Anything.test', 'file://', '*', '']
    expect(wrong.filter((origin) => matchOrigin(['*'], origin))).toEqual([])
  })

  test('an empty list allows nothing', () => {
    expect(matchOrigin([], 'https://example.com')).toBe(false)
  })
})
