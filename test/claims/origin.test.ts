// One origin: public test vectors, tables of the project's own rules, and properties.

import { domainToUnicode } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseOrigin } from '../../src/claims/origin.ts'
import idna from '../vectors/origin/idna-test-v2.json' with { type: 'json' }
import toAscii from '../vectors/origin/toascii.json' with { type: 'json' }
import urlTestData from '../vectors/origin/urltestdata.json' with { type: 'json' }

interface UrlCase {
  readonly input: string
  readonly failure?: boolean
  readonly origin?: string
  readonly href?: string
}

/** Canonical text; null for a refusal. Each refusal must show an example of a valid value. */
function canonical(text: string): string | null {
  const parsed = parseOrigin(text)
  if (parsed.ok) return parsed.value.origin
  expect(parsed.reason).toContain('write the whole origin, like https://www.example.com')
  return null
}

/** `xn--` names that decode to no valid name. The current URL standard accepts them; older engines refused them. */
const DISPUTED_HOSTS = [
  'xn--',
  'xn--a',
  'xn--a.xn--zca',
  'xn--a-yoc',
  'xn--0.com',
  'xn--1ug.example',
  'xn--ls8h=',
  'xn--zn7c.com',
  'xn--a-.example',
  'xn--xn--a--gua.pt',
  'xn--8hb.example',
  'xn--en32g.example', // one beyond the last code point
  'xn--lda23i.example', // an o with two combining marks in an order that NFC does not produce
  'a.b.c.xn--pokxncvks',
  '10.0.0.xn--pokxncvks',
]

// Texts that the URL standard accepts and this project refuses, defined without the code under test.

const WHITE_SPACE = [0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000]

function isBlank(character: string): boolean {
  const code = character.codePointAt(0) as number
  return code <= 0x20 || code === 0x7f || WHITE_SPACE.includes(code) || (code >= 0x2000 && code <= 0x200a)
}

function isSpeltOddly(text: string): boolean {
  const [beforePath = ''] = text.slice(text.indexOf('//') + 2).split(/[/?#]/)
  return [...beforePath].some((character) => isBlank(character) || '\\@'.includes(character))
}

function isHostRefused(host: string): boolean {
  const name = host.endsWith('.') ? host.slice(0, -1) : host
  const lengths = name.split('.').map((label) => label.length)
  const isLong = name.length > 253 || Math.max(...lengths) > 63
  return isLong || lengths.includes(0) || host.includes('*') || DISPUTED_HOSTS.includes(host)
}

function expectOrigin(origin: string): string | null {
  const host = origin.replace(/^https?:\/\//, '').replace(/:\d+$/, '')
  return isHostRefused(host) ? null : origin
}

describe('public vectors', () => {
  const cases: readonly UrlCase[] = urlTestData
  test.each(cases)('urltestdata $input', (row) => {
    const origin = row.origin ?? /^https?:\/\/[^/]+/.exec(row.href ?? '')?.[0]
    expect(origin === undefined).toBe(row.failure === true)
    const refused = origin === undefined || isSpeltOddly(row.input)
    expect(canonical(row.input)).toBe(refused ? null : expectOrigin(origin))
  })

  test.each(toAscii)('toascii $input', ({ input, output }) => {
    expect(canonical(`https://${input}/x`)).toBe(output === null ? null : expectOrigin(`https://${output}`))
  })

  test('IdnaTestV2: accepts every name that is valid in Unicode', () => {
    const taken = idna.filter(({ output }) => output !== null)
    const answers = taken.map(({ input }) => canonical(`http://${input}:81`))
    expect(answers).toEqual(taken.map(({ output }) => expectOrigin(`http://${output}:81`)))
    expect(answers.filter((answer) => answer !== null).length).toBeGreaterThan(400)
  })
})

const LABEL_63 = 'a'.repeat(63)
const NAME_253 = `${LABEL_63}.${LABEL_63}.${LABEL_63}.${'a'.repeat(61)}`

describe('web origins', () => {
  test.each([
    ['https://www.example.com', 'https://www.example.com'],
    ['HTTPS://WWW.Example.COM/a/b?c=d#e', 'https://www.example.com'],
    ['hTTp://example.com?x', 'http://example.com'],
    ['http://example.com#x', 'http://example.com'],
    ['https://example.com:443', 'https://example.com'],
    ['http://example.com:80/', 'http://example.com'],
    ['http://example.com:443', 'http://example.com:443'],
    ['https://example.com:08443', 'https://example.com:8443'],
    ['https://example.com:0', 'https://example.com:0'],
    ['https://example.com:65535', 'https://example.com:65535'],
    ['https://example.com:', 'https://example.com'],
    ['https:///example.com', 'https://example.com'],
    ['https://example.com.', 'https://example.com.'],
    ['https://example.com.:8443/', 'https://example.com.:8443'],
    ['http://127.0.0.1/test>', 'http://127.0.0.1'],
    ['http://2130706433', 'http://127.0.0.1'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
    ['http://[0:0::1]', 'http://[::1]'],
    ['http://[::ffff:1.2.3.4]', 'http://[::ffff:102:304]'],
    ['http://localhost:5173', 'http://localhost:5173'],
    ['https://under_score.example.com', 'https://under_score.example.com'],
    ['https://Bücher.example', 'https://xn--bcher-kva.example'],
    ['https://xn--bcher-kva.example', 'https://xn--bcher-kva.example'],
    ['https://XN--BCHER-KVA.example', 'https://xn--bcher-kva.example'],
    ['https://☕.example', 'https://xn--53h.example'],
    ['https://分かる。例え', 'https://xn--u8j0gl24h.xn--r8jz45g'],
    ['https://xn--u8j0gl24h.xn--r8jz45g:8443', 'https://xn--u8j0gl24h.xn--r8jz45g:8443'],
    ['https://ex%41mple.com', 'https://example.com'],
    ['https://example.com/a b\\c@d', 'https://example.com'],
    ['https://example.com?@evil.example', 'https://example.com'],
    ['https://vi\u00f4\u0323t.example', 'https://xn--vit-7mz.example'], // composed, as browsers send it
    [`https://${LABEL_63}.com`, `https://${LABEL_63}.com`],
    [`https://${NAME_253}`, `https://${NAME_253}`],
    [`https://${NAME_253}.`, `https://${NAME_253}.`],
  ])('%s', (text, origin) => {
    expect(parseOrigin(text)).toEqual({ ok: true, value: { kind: 'web', origin } })
  })

  test.each([
    '',
    '*',
    'null',
    'localhost',
    'localhost:3000',
    'example.com',
    '//example.com',
    'YOUR-WEBSITE-URL',
    'http:example.com',
    'http:/example.com',
    'https:\\\\example.com',
    'https:/\\example.com',
    'https://',
    'https:///',
    'https://?x',
    ' https://example.com',
    'https://example.com ',
    'https://example.com\n',
    'https://example.com\t/',
    'https://exa\nmple.com',
    'ht\ntps://example.com',
    '\ufeffhttps://example.com',
    'https://example.com\u0000',
    'https://example.com\u007f',
    'https://example.com\u0085',
    'https://example.com\u00a0',
    'https://\u3000example.com',
    'https://example.com\\@evil.example',
    'https://user@example.com',
    'https://user:password@example.com',
    'https://@example.com',
    'https:///user@example.com',
    'https://user%40example.com',
    'https://*.example.com',
    'https://*',
    'https://ex*mple.com',
    'https://%2A.example.com',
    'https://\uff0a.example.com',
    'http://localhost:*',
    'https://example..com',
    'https://.example.com',
    'https://example.com..',
    'https://.',
    'https://..',
    'https://a\u3002\u3002b',
    `https://${LABEL_63}a.com`,
    `https://${NAME_253}a`,
    `https://${NAME_253}a.`,
    'https://example.com:65536',
    'https://example.com:8o',
    'https://example.com:-1',
    'https://a.example https://b.example',
    'https://1.2.3.256',
    'https://1.2.3.4.5',
    'https://[::1',
    'https://::1',
    'https://[fe80::1%25eth0]',
    'https://ex<mple.com',
    'https://ex%00mple.com',
    'https://\ud800.example',
    ...DISPUTED_HOSTS.map((host) => `https://${host}`),
  ])('refuses %j', (text) => {
    expect(canonical(text)).toBeNull()
  })
})

describe('the reason says what is wrong', () => {
  test.each([
    ...[...' \t\n\u0000\u007f\u0085\u00a0\u1680\u2003\u2028\u202f\u205f\u3000\\@'].map((character) => [
      `https://www${character}.example.com`,
      'no blank, backslash, user name or password',
    ]),
    ['https://*.example.com', 'not a wildcard'],
    ['https://example..com', 'labels of 1 to 63 characters and at most 253'],
    ['https://xn--a.example', 'internationalised host name (xn--) is not valid'],
    ['https://[::1', 'not a URL that a browser understands'],
    ['localhost', 'like capacitor://localhost'],
  ])('%j', (text, reason) => {
    expect(parseOrigin(text as string)).toEqual({
      ok: false,
      reason: expect.stringContaining(reason as string),
    })
  })
})

describe('app origins', () => {
  test.each([
    ['capacitor://localhost', 'capacitor://localhost'],
    ['Ionic://LocalHost', 'ionic://LocalHost'],
    ['Safari-Web-Extension://5C0B5E52-7F1F', 'safari-web-extension://5C0B5E52-7F1F'],
    ['app://.', 'app://.'],
    ['capacitor://.localhost', 'capacitor://.localhost'],
    ['capacitor://a..b', 'capacitor://a..b'],
    ['tauri://localhost:1430', 'tauri://localhost:1430'],
    [
      'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
      'chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    ],
    [
      'moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc',
      'moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc',
    ],
    ['a+b-c.1://my_app.example', 'a+b-c.1://my_app.example'],
    ['app://host:65535', 'app://host:65535'],
  ])('%s', (text, origin) => {
    expect(parseOrigin(text)).toEqual({ ok: true, value: { kind: 'app', origin } })
  })

  test.each([
    ...['data', 'blob', 'file', 'javascript', 'about', 'filesystem', 'ftp', 'ws', 'wss', 'WSS', 'Data'].map(
      (scheme) => `${scheme}://localhost`,
    ),
    'data:text/html,x',
    'blob:https://example.com/1',
    'about:blank',
    'file:///etc/hosts',
    'capacitor:localhost',
    'capacitor://',
    'capacitor://localhost/',
    'capacitor://localhost?x',
    'capacitor://localhost#x',
    'capacitor://localhost\n',
    ' capacitor://localhost',
    'capacitor://user@localhost',
    'capacitor://*',
    'capacitor://local host',
    'capacitor://[::1]',
    'capacitor://l\u00f6calhost',
    'capacitor://\u212app', // the Kelvin sign, not the letter k
    'capacitor://localhost:',
    'capacitor://localhost:0',
    'capacitor://localhost:080',
    'capacitor://localhost:65536',
    'capacitor://localhost:123456',
    `capacitor://${NAME_253}a`,
    '1app://localhost',
    '-app://localhost',
    'a_b://localhost',
    '://localhost',
    'null://',
  ])('refuses %j', (text) => {
    expect(canonical(text)).toBeNull()
  })
})

describe('properties', () => {
  test('agrees with the URL standard on plain names, which the code accepts without the URL parser', () => {
    const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/)
    const plain = fc.tuple(fc.constantFrom('http', 'https'), fc.array(label, { minLength: 1, maxLength: 6 }))
    fc.assert(
      fc.property(plain, ([scheme, labels]) => {
        const text = `${scheme}://${labels.join('.')}`
        if (labels.some((one) => one.startsWith('xn--')) || labels.join('.').length > 253) return
        expect(canonical(text)).toBe(URL.canParse(text) ? new URL(text).origin : null)
      }),
      { numRuns: 5000 },
    )
  })

  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.webUrl(),
    fc.string({ unit: 'grapheme' }).map((host) => `https://${host}`),
    fc.stringMatching(/^[a-z0-9-]{0,12}$/).map((label) => `http://xn--${label}.example`),
  )

  test('a result is canonical: printable ASCII, without a path, and unchanged when parsed again', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const origin = canonical(text)
        if (origin === null) return
        expect(origin).toMatch(/^[a-z][a-z0-9+.-]*:\/\/[\x21-\x7e]+$/)
        expect(origin).not.toMatch(/:\/\/.*[A-Z/?#@\\*]/)
        expect(canonical(origin)).toBe(origin)
      }),
      { numRuns: 3000, seed: 1 },
    )
  })

  test('names of CJK characters give the same origin as the URL standard', () => {
    const characters = [fc.integer({ min: 0x4e00, max: 0x9fff }), fc.integer({ min: 0x20000, max: 0x2a6df })]
    const name = fc.array(fc.oneof(...characters), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(name, (codes) => {
        const text = `https://${String.fromCodePoint(...codes)}.example`
        expect(canonical(text)).toBe(new URL(text).origin)
      }),
      { numRuns: 5000, seed: 1 },
    )
  })

  test('a Unicode name and its xn-- spelling give the same origin', () => {
    const names = idna.flatMap(({ output }) =>
      output === null ? [] : (canonical(`https://${output}`) ?? []),
    )
    const unicode = names.map((origin) => `https://${domainToUnicode(origin.slice('https://'.length))}`)
    expect(unicode.map(canonical)).toEqual(names)
    expect(unicode.filter((text, index) => text !== names[index]).length).toBeGreaterThan(300)
  })
})
