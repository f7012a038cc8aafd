import { describe, expect, test } from 'vitest'
import { buildClaimsSet, type Grant, parseClaimsSet } from '../../src/claims/claims-set.ts'

const jkt = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
const good = {
  iss: 'https://issuer.example',
  aud: 'https://api.example',
  sub: 'acct_1',
  client_id: 'c1',
  jti: 'j1',
  iat: 1000,
  exp: 2000,
}
const grant: Grant = {
  accountId: 'acct_1',
  credentialId: 'c1',
  lifetimeSeconds: 60,
  scopes: ['read', 'write'],
  origin: 'https://www.example.com',
  ip: ['10.0.0.1'],
  jkt,
}

describe('building a claims set', () => {
  const by = { issuer: 'https://issuer.example', audience: ['a', 'b'] }

  test('each part of the grant becomes a claim', () => {
    expect(buildClaimsSet(by, grant, 1000, 'j')).toEqual({
      iss: 'https://issuer.example',
      aud: ['a', 'b'],
      sub: 'acct_1',
      client_id: 'c1',
      jti: 'j',
      iat: 1000,
      exp: 1060,
      scope: 'read write',
      origin: 'https://www.example.com',
      ip: '10.0.0.1',
      cnf: { jkt },
    })
  })

  test('a bound that is not granted gives no claim, and several addresses give an array', () => {
    const bare = buildClaimsSet(
      by,
      { ...grant, scopes: [], origin: undefined, ip: [], jkt: undefined },
      1,
      'j',
    )
    expect(Object.keys(bare)).toEqual(['iss', 'aud', 'sub', 'client_id', 'jti', 'iat', 'exp'])
    expect(buildClaimsSet(by, { ...grant, ip: ['10.0.0.1', '::1'] }, 1, 'j').ip).toEqual(['10.0.0.1', '::1'])
  })

  test('a built claims set can be parsed', () => {
    const parsed = parseClaimsSet({ ...buildClaimsSet(by, grant, 1000, 'j') })
    expect(parsed).toMatchObject({ ok: true, value: { scopes: ['read', 'write'], audience: ['a', 'b'] } })
  })
})

describe('parsing a payload', () => {
  test.each([
    {},
    { nbf: 900.5 },
    { iat: 1000.25, exp: 1000.5 },
    { aud: ['a', 'b'] },
    { origin: 'capacitor://localhost' },
    { ip: ['10.0.0.0/8', '2001:db8::/32'] },
    { cnf: { jkt } },
    { scope: '' },
    { more: { of: 'anything' } },
  ])('accepts %j', (more) => {
    expect(parseClaimsSet({ ...good, ...more })).toMatchObject({ ok: true })
  })

  const faults: readonly (readonly [name: string, values: readonly unknown[]])[] = [
    ...['iss', 'sub', 'client_id', 'jti'].map((name) => [name, [undefined, '', null, 1, ['x'], {}]] as const),
    ['aud', [undefined, '', null, 1, [], ['a', ''], ['a', 1], {}]],
    ['iat', [undefined, null, '1000', Number.POSITIVE_INFINITY, Number.NaN, true]],
    ['exp', [undefined, null, '2000', Number.POSITIVE_INFINITY, 1000, 999, 0, -1]],
    ['nbf', [null, '1', Number.NEGATIVE_INFINITY]],
    ['scope', [null, 1, ['read'], 'a"b', 'a\\b', 'a\u00e9']],
    [
      'origin',
      [
        null,
        '',
        '*',
        'null',
        1,
        [],
        ['https://a.example'],
        {},
        true,
        'https://A.example',
        'https://a.example/',
        'https://a.example:443',
        'a.example',
        'https://*.a.example',
      ],
    ],
    [
      'ip',
      [
        null,
        '',
        false,
        0,
        [],
        [''],
        ['10.0.0.1', null],
        '0.0.0.0/0',
        '10.0.0.1/8',
        '::FFFF:10.0.0.1',
        '10.0.0.1/32',
        {},
        '010.0.0.1',
      ],
    ],
    [
      'cnf',
      [
        null,
        {},
        [],
        'x',
        { jkt: '' },
        { jkt: 1 },
        { 'x5t#S256': jkt },
        { jkt, extra: 1 },
        { jkt: `${jkt.slice(0, -1)}t` },
      ],
    ],
  ]
  test.each(faults.flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
    'refuses %s: %j',
    (name, value) => {
      expect(parseClaimsSet({ ...good, [name]: value })).toEqual({ ok: false, reason: name })
    },
  )

  test('the parsed claims are frozen', () => {
    const parsed = parseClaimsSet({ ...good, ip: ['10.0.0.1'] })
    expect(parsed.ok && Object.isFrozen(parsed.value.claims) && Object.isFrozen(parsed.value.claims.ip)).toBe(
      true,
    )
  })
})
