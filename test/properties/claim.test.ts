// Properties of claims that are valid or almost valid: either the token has every binding that was asked for, or no token is
// issued. The test generates the request from the bindings, so it knows them without parsing the request.
// A failure prints its seed and path: repeat it with `fc.assert(…, { seed, path })`.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Asking, startAsking } from '../support/ask.ts'
import type { Json, WireAnswer, WireRequest } from '../support/wire.ts'
import { payloadOf, SITE } from '../support/world.ts'

let asking: Asking
beforeAll(async () => {
  asking = await startAsking()
})
afterAll(() => asking.world.stop())

describe('a claim', () => {
  /** One spelling of a parameter's value. */
  interface Spelt {
    readonly value: Json
    /** The canonical value. Undefined: the service must refuse it. Null: it asks for no binding. */
    readonly means: Json
  }
  const JKT = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
  const spelt = (...pairs: readonly (readonly [value: Json, means: Json])[]) =>
    fc.constantFrom(...pairs.map(([value, means]): Spelt => ({ value, means })))
  const canonicalIPv6 = (address: string): string => {
    const text = new URL(`http://[${address}]`).hostname.slice(1, -1)
    const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(text)
    if (mapped === null) return text
    const [high = 0, low = 0] = mapped.slice(1).map((group) => Number.parseInt(group, 16))
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  }
  const address: fc.Arbitrary<Spelt> = fc.oneof(
    fc.ipV4().map((value) => ({ value, means: value })),
    fc.ipV6().map((value) => ({ value, means: canonicalIPv6(value) })),
    spelt(
      ['10.0.0.0/8', '10.0.0.0/8'],
      ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
      ['192.0.2.9/32', '192.0.2.9'],
      ['::FFFF:c000:0209', '192.0.2.9'],
      ['2001:DB8:0:0::/32', '2001:db8::/32'],
      ['2001:db8::1/128', '2001:db8::1'],
    ),
  )
  const values: Readonly<Record<string, fc.Arbitrary<Spelt>>> = {
    origin: spelt(
      [SITE, SITE],
      ['HTTPS://WWW.Example.com:443/a?b#c', SITE],
      ['http://localhost:5173/', 'http://localhost:5173'],
      ['https://a.b.wild.example.com', 'https://a.b.wild.example.com'],
      ['Capacitor://localhost', 'capacitor://localhost'],
    ),
    ip: fc.array(address, { minLength: 1, maxLength: 4 }).map((list) => ({
      value: list.map((one) => one.value),
      means: [...new Set(list.map((one) => one.means))],
    })),
    expiresIn: fc.integer({ min: 10, max: 86_400 }).map((seconds) => ({ value: seconds, means: seconds })),
    scope: spelt(['read', 'read'], ['write read', 'read write'], ['read read', 'read'], ['', 'read write']),
    jkt: spelt([JKT, JKT]),
  }
  const bad: Readonly<Record<string, readonly Json[]>> = {
    origin: [
      '',
      '*',
      'null',
      'localhost',
      'https://*.example.com',
      `${SITE}@evil.example`,
      `${SITE}\\`,
      5,
      [[SITE]],
      {},
    ],
    ip: [
      [],
      [''],
      [' '],
      ['1.2.3'],
      ['010.0.0.1'],
      ['1.2.3.4:80'],
      ['[::1]'],
      ['fe80::1%0'],
      ['0.0.0.0/0'],
      ['::/0'],
    ],
    expiresIn: ['', 0, 9, '9', 86_401, '060', ' 60', '6e1', '+60', 60.5, true, [[60]], '٦٠', -60],
    scope: ['admin', 'read admin', '"', 'read\twrite', 5, [['read']], false],
    jkt: ['', 'x', `${JKT.slice(0, -1)}t`, `${JKT}A`, 1, [[JKT]], {}],
  }
  const nearMisses: Readonly<Record<string, readonly string[]>> = {
    origin: ['Origin', 'ORIGIN', 'origin[]'],
    ip: ['IP', 'Ip', 'ip[]', 'ip[0]', 'i_p', '_ip'],
    expiresIn: ['expires_in', 'expiresin', 'EXPIRES-IN', 'expiresIn[]'],
    scope: ['Scope', 'SCOPE', 'scope[]'],
    jkt: ['JKT', 'jkt[]', 'j-k-t'],
  }
  type Place = 'query' | 'body'
  /** A parameter, and where it stands in the request. */
  interface Asked extends Spelt {
    readonly name: string
    readonly place: Place
    /** How a query or form spells a list. */
    readonly manner: 'repeated' | 'commas' | 'blanks'
  }
  const asked = (name: string, value: fc.Arbitrary<Spelt>): fc.Arbitrary<Asked> =>
    fc
      .record({
        spelt: value,
        place: fc.constantFrom<Place>('query', 'body'),
        manner: fc.constantFrom<Asked['manner']>('repeated', 'commas', 'blanks'),
      })
      .map(({ spelt, place, manner }) => ({ name, ...spelt, place, manner }))
  const each = (table: Readonly<Record<string, fc.Arbitrary<Spelt>>>) =>
    Object.entries(table).map(([name, value]) => asked(name, value))
  const rightClaim = fc
    .tuple(...each(values).map((one, index) => (index === 0 ? one : fc.option(one, { nil: undefined }))))
    .map((all) => all.filter((one) => one !== undefined))
  const badPart = fc.oneof(
    ...Object.entries(bad).map(([name, list]) =>
      asked(name, spelt(...list.map((one) => [one, undefined] as const))),
    ),
  )
  /** A well-formed origin that the account does not list. */
  const unlisted = asked(
    'origin',
    spelt(['https://unlisted.example', undefined], ['https://wild.example.com', undefined]),
  )
  /** A parameter whose name resembles a known one. */
  const nearMiss = fc.oneof(
    ...Object.entries(nearMisses).flatMap(([name, spellings]) =>
      spellings.map((spelling) =>
        asked(
          spelling,
          (values[name] as fc.Arbitrary<Spelt>).map(({ value }) => ({ value, means: undefined })),
        ),
      ),
    ),
  )
  /** A parameter that the service ignores. */
  const harmless = fc.oneof(
    ...['ips', 'origins', 'audience', '__proto__', 'constructor'].map((name) =>
      asked(name, spelt(['1.2.3.4', null])),
    ),
  )
  /** A parameter that is null, which counts as absent. Only JSON can express null, so a query or form leaves it out. */
  const nothing = fc.oneof(...Object.keys(values).map((name) => asked(name, spelt([null, null]))))
  const way = fc.record({
    body: fc.constantFrom<'json' | 'form'>('json', 'form'),
    token: fc.constantFrom<'query' | 'body' | 'header'>('query', 'body', 'header'),
    reversed: fc.boolean(),
  })
  type Way = typeof way extends fc.Arbitrary<infer T> ? T : never

  /** A value as strings for a query or form, where an empty list becomes one empty string. */
  function toTexts(value: Json): readonly string[] {
    const list = Array.isArray(value) && value.length > 0 ? value : [Array.isArray(value) ? '' : value]
    return list.map((item) => (typeof item === 'object' ? JSON.stringify(item) : String(item)))
  }

  function joinTexts({ value, manner }: Asked): string {
    return toTexts(value).join(manner === 'blanks' ? ' ,\t ' : ',')
  }

  function toWire(parts: readonly Asked[], { body, token, reversed }: Way): WireRequest {
    const all = reversed ? [...parts].reverse() : [...parts]
    if (token !== 'header') {
      all.push({
        name: 'token',
        value: asking.world.token,
        means: asking.world.token,
        place: token,
        manner: 'commas',
      })
    }
    const pairs = (place: Place): string =>
      all
        .filter((one) => one.place === place && one.value !== null)
        .flatMap((one) => {
          const written = one.manner === 'repeated' ? toTexts(one.value) : [joinTexts(one)]
          return written.map((text) => `${encodeURIComponent(one.name)}=${encodeURIComponent(text)}`)
        })
        .join('&')
    const members = all
      .filter((one) => one.place === 'body')
      .map((one) => {
        const isText = one.name === 'ip' && one.manner !== 'repeated' && one.value !== null
        return `${JSON.stringify(one.name)}:${JSON.stringify(isText ? joinTexts(one) : one.value)}`
      })
    const query = pairs('query')
    return {
      method: 'POST',
      path: query === '' ? '/auth/claim' : `/auth/claim?${query}`,
      headers: {
        'content-type': body === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
        ...(token === 'header' && { authorization: `Bearer ${asking.world.token}` }),
      },
      body: body === 'json' ? `{${members.join(',')}}` : pairs('body'),
    }
  }

  /** Expects that the token has exactly the bindings of these parameters. Fails on a parameter that must be refused. */
  function expectBounds(parts: readonly Asked[], answer: WireAnswer): void {
    const claims = payloadOf(answer.json().token)
    const held: Json = {
      origin: claims.origin,
      ip: claims.ip === undefined ? undefined : [claims.ip].flat().sort(),
      expiresIn: claims.exp - claims.iat,
      scope: claims.scope,
      jkt: claims.cnf?.jkt,
    }
    const wanted: Json = { ip: undefined, expiresIn: 1800, scope: 'read write', jkt: undefined }
    for (const { name, means } of parts) {
      if (means === null) continue
      expect(means, `\`${name}\` should have been refused`).toBeDefined()
      wanted[name] = name === 'ip' ? [...new Set([...(wanted.ip ?? []), ...means])].sort() : means
    }
    expect(held).toEqual(wanted)
    expect(answer.json().tokenType).toBe(wanted.jkt === undefined ? 'Bearer' : 'DPoP')
  }

  test('that is valid gives a token with exactly the requested bindings', async () => {
    const additions = fc.uniqueArray(harmless, { maxLength: 2, selector: (one) => one.name })
    await fc.assert(
      fc.asyncProperty(rightClaim, additions, way, async (parts, more, how) => {
        const answer = await asking.ask(toWire([...parts, ...more], how))
        expect(answer.status, answer.text).toBe(200)
        expectBounds(parts, answer)
      }),
      { numRuns: 600 },
    )
  })

  test('with other content gives no token, or one with all requested bindings', async () => {
    const statuses = new Map<number, number>()
    const repeated = fc.oneof(...each(values))
    const changes = fc.array(fc.oneof(badPart, unlisted, nearMiss, repeated, nothing, harmless), {
      minLength: 1,
      maxLength: 2,
    })
    await fc.assert(
      fc.asyncProperty(rightClaim, changes, way, fc.boolean(), async (parts, more, how, replaces) => {
        const names = new Set(more.map((one) => one.name))
        const kept = replaces ? parts.filter((one) => !names.has(one.name)) : parts
        const answer = await asking.ask(toWire([...kept, ...more], how))
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
        if (answer.status === 200) expectBounds([...kept, ...more], answer)
      }),
      { numRuns: 2000 },
    )
    for (const status of [200, 400, 403, 422]) expect(statuses.get(status) ?? 0).toBeGreaterThan(10)
  })
})
