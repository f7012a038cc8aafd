// Which URLs count as equal (RFC 3986 section 6.2), and which URL a proof for a request must have.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSameTarget, normalizeTarget, resolveTarget } from '../../src/verify/dpop/htu.ts'

const HOST = 'https://api.example.com'

describe('the normal form of a URL', () => {
  test.each<[string, string, string]>([
    ['a normal URL stays as it is', `${HOST}/a/b`, `${HOST}/a/b`],
    ['scheme and host are in lower case', 'HTTPS://Api.EXAMPLE.com/A', `${HOST}/A`],
    ['an empty path becomes /', HOST, `${HOST}/`],
    ['the default port of https is removed', `${HOST}:443/a`, `${HOST}/a`],
    ['the default port of http is removed', 'http://localhost:80/a', 'http://localhost/a'],
    ['an empty port is removed', `${HOST}:/a`, `${HOST}/a`],
    ['another port is kept', 'http://localhost:443/a', 'http://localhost:443/a'],
    ['a query and a fragment are removed', `${HOST}/a?b=c#d`, `${HOST}/a`],
    ['a query after an empty path is removed', `${HOST}?b/../c`, `${HOST}/`],
    ['a fragment is removed', `${HOST}/a#b?c`, `${HOST}/a`],
    [
      'triplets of unreserved characters are decoded (6.2.2.2)',
      `${HOST}/%7Esmith/%61%2d%2E%5f%30`,
      `${HOST}/~smith/a-._0`,
    ],
    ['other triplets are in upper case (6.2.2.1)', `${HOST}/a%c2%b1b%2f`, `${HOST}/a%C2%B1b%2F`],
    ['triplets are decoded once, not twice', `${HOST}/%2541`, `${HOST}/%2541`],
    ['triplets of the host are decoded', 'https://%61PI.example.com/', `${HOST}/`],
    ['dot segments are removed (5.2.4)', `${HOST}/a/b/c/./../../g`, `${HOST}/a/g`],
    ['a final .. is removed, and its slash is kept', `${HOST}/a/b/..`, `${HOST}/a/`],
    ['a final . is removed, and its slash is kept', `${HOST}/a/.`, `${HOST}/a/`],
    ['dot segments above the root are removed', `${HOST}/../../a`, `${HOST}/a`],
    ['encoded dot segments are removed', `${HOST}/a/%2e%2E/b`, `${HOST}/b`],
    ['a dot segment removes an empty segment before it', `${HOST}/a//../b`, `${HOST}/a/b`],
    ['empty segments are kept', `${HOST}//a//b/`, `${HOST}//a//b/`],
    ['dots within names are kept', `${HOST}/.well-known/..a/b..`, `${HOST}/.well-known/..a/b..`],
    ['characters that a URI must not have are encoded', `${HOST}/a^b|c{d}`, `${HOST}/a%5Eb%7Cc%7Bd%7D`],
    ['IPv6 literals are in lower case', 'http://[::FFFF:1]:8080/a', 'http://[::ffff:1]:8080/a'],
    ['the first example of section 6.2.2', 'http://a/b/c/%7Bfoo%7D', 'http://a/b/c/%7Bfoo%7D'],
    ['the second example of section 6.2.2', 'HTTP://a/./b/../b/%63/%7bfoo%7d', 'http://a/b/c/%7Bfoo%7D'],
    ['an example of section 6.2.3, with an empty port', 'http://example.com:/', 'http://example.com/'],
  ])('%s', (_, uri, expected) => {
    expect(normalizeTarget(uri)).toBe(expected)
  })
})

describe('has no normal form', () => {
  test.each([
    '',
    '/a',
    '//api.example.com/a',
    'api.example.com/a',
    'https:/api.example.com/a',
    'https:api.example.com',
    'https:\\\\api.example.com/a',
    'https://api.example.com\\a',
    ` ${HOST}/a`,
    `${HOST} /a`,
    'https://api.exa\nmple.com/a',
    'https:///a',
    'https://?a',
    'https://user@api.example.com/a',
    'https://user:word@api.example.com/a',
    'https://api.example.com:8x/a',
    'https://api.example.com:-1/a',
    'https://[::1/a',
    'https://%zz/a',
    'https://bücher.example/a',
    'ftp://api.example.com/a',
    'ws://api.example.com/a',
    'file:///a',
    'null',
  ])('%j', (uri) => {
    expect(normalizeTarget(uri)).toBeUndefined()
    expect(isSameTarget(uri, uri)).toBe(false)
  })
})

describe('different URLs', () => {
  test.each([
    [`${HOST}/a`, `${HOST}/A`],
    [`${HOST}/a`, `${HOST}/a/`],
    [`${HOST}/a`, 'http://api.example.com/a'],
    [`${HOST}/a`, `${HOST}:8443/a`],
    [`${HOST}/a`, `${HOST}./a`],
    [`${HOST}/a`, 'https://api.example.com.evil.example/a'],
    [`${HOST}/a/b`, `${HOST}/a%2Fb`],
    [`${HOST}/a?b`, `${HOST}/a%3Fb`],
    [`${HOST}/a%25`, `${HOST}/a%`],
    [`${HOST}/a;b`, `${HOST}/a%3Bb`],
  ])('%s and %s', (one, other) => {
    expect(isSameTarget(one, other)).toBe(false)
    expect(isSameTarget(other, one)).toBe(false)
  })
})

describe('the URL that a proof must have', () => {
  test.each<[string, string | undefined]>([
    ['/a?b=c', `${HOST}/a`],
    ['/a#b', `${HOST}/a`],
    ['/', `${HOST}/`],
    ['/?token=x', `${HOST}/`],
    ['//evil.example/a', `${HOST}//evil.example/a`],
    ['/a://b', `${HOST}/a://b`],
    ['http://evil.example/a?b', `${HOST}/a`],
    ['HTTP://evil.example', HOST],
    ['http://evil.example?/a', HOST],
    ['*', undefined],
    ['evil.example:443', undefined],
    ['@evil.example/a', undefined],
    ['.evil.example/a', undefined],
    [':8443/a', undefined],
  ])('for a request to %s', (url, expected) => {
    expect(resolveTarget(HOST, url)).toBe(expected)
  })
})

test('normalizing twice gives the same as once, and a URL equals what the URL parser makes of it', () => {
  const units = [...'abAB01-._~!$&()*+,;=:@///', '..', '/.', '%41', '%2e', '%2F', '%e4', '%25', '%7e']
  const path = fc.string({ unit: fc.constantFrom(...units), maxLength: 20 })
  fc.assert(
    fc.property(path, (text) => {
      const uri = `${HOST}/${text}`
      const normal = normalizeTarget(uri) ?? ''
      expect(normalizeTarget(normal)).toBe(normal)
      expect(isSameTarget(new URL(uri).href, uri)).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

test('no text makes it throw or take long', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.webUrl(), (text, url) => {
      normalizeTarget(text)
      normalizeTarget(`https://${text}`)
      resolveTarget(HOST, text)
      expect(isSameTarget(url, url)).toBe(true)
    }),
  )
  const start = performance.now()
  for (const unit of ['%41', '/..', '/.', 'a', '%', '[', ':']) {
    normalizeTarget(`https://${unit.repeat(20_000)}`)
    normalizeTarget(`${HOST}/${unit.repeat(20_000)}`)
  }
  expect(performance.now() - start).toBeLessThan(1000)
})
