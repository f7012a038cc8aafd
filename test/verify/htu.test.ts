// Which URLs are equal (RFC 3986 section 6.2), and what the URL of a request is.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSameTarget, normalizeTarget, resolveTarget } from '../../src/verify/dpop/htu.ts'

const HOST = 'https://api.example.com'

describe('normalises', () => {
  test.each<[string, string, string]>([
    ['nothing in what is normal', `${HOST}/a/b`, `${HOST}/a/b`],
    ['the case of scheme and host', 'HTTPS://Api.EXAMPLE.com/A', `${HOST}/A`],
    ['an empty path', HOST, `${HOST}/`],
    ['the default port of https', `${HOST}:443/a`, `${HOST}/a`],
    ['the default port of http', 'http://localhost:80/a', 'http://localhost/a'],
    ['an empty port', `${HOST}:/a`, `${HOST}/a`],
    ['no other port', 'http://localhost:443/a', 'http://localhost:443/a'],
    ['a query away', `${HOST}/a?b=c#d`, `${HOST}/a`],
    ['a query away behind an empty path', `${HOST}?b/../c`, `${HOST}/`],
    ['a fragment away', `${HOST}/a#b?c`, `${HOST}/a`],
    [
      'triplets of unreserved characters (6.2.2.2)',
      `${HOST}/%7Esmith/%61%2d%2E%5f%30`,
      `${HOST}/~smith/a-._0`,
    ],
    ['triplets to upper case (6.2.2.1)', `${HOST}/a%c2%b1b%2f`, `${HOST}/a%C2%B1b%2F`],
    ['triplets once, not twice', `${HOST}/%2541`, `${HOST}/%2541`],
    ['triplets of the host', 'https://%61PI.example.com/', `${HOST}/`],
    ['dot segments (5.2.4)', `${HOST}/a/b/c/./../../g`, `${HOST}/a/g`],
    ['dot segments at the end', `${HOST}/a/b/..`, `${HOST}/a/`],
    ['a dot at the end', `${HOST}/a/.`, `${HOST}/a/`],
    ['dot segments above the root', `${HOST}/../../a`, `${HOST}/a`],
    ['dot segments that are encoded', `${HOST}/a/%2e%2E/b`, `${HOST}/b`],
    ['dot segments behind empty segments', `${HOST}/a//../b`, `${HOST}/a/b`],
    ['no empty segments away', `${HOST}//a//b/`, `${HOST}//a//b/`],
    ['no dots within names', `${HOST}/.well-known/..a/b..`, `${HOST}/.well-known/..a/b..`],
    ['characters that no URI has', `${HOST}/a^b|c{d}`, `${HOST}/a%5Eb%7Cc%7Bd%7D`],
    ['IPv6 literals', 'http://[::FFFF:1]:8080/a', 'http://[::ffff:1]:8080/a'],
    ['the example of section 6.2.2', 'http://a/b/c/%7Bfoo%7D', 'http://a/b/c/%7Bfoo%7D'],
    ['the other example of section 6.2.2', 'HTTP://a/./b/../b/%63/%7bfoo%7d', 'http://a/b/c/%7Bfoo%7D'],
    ['section 6.2.3, port and all', 'http://example.com:/', 'http://example.com/'],
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

describe('are different', () => {
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

describe('the URL of a request', () => {
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
  ])('%s', (url, expected) => {
    expect(resolveTarget(HOST, url)).toBe(expected)
  })
})

test('a normal form stays as it is, and is what the URL parser gives where that changes nothing', () => {
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

test('any text gets a result, and quickly', () => {
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
