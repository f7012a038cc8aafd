// The parameters of a claim as rows: which values are accepted, and the canonical form in the answer.

import { APP, claimRequest, SITE } from '../support/world.ts'
import { claim, ok, query, type Row } from './claim-rows.ts'

const jkt = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'

/** A row with a value of a parameter that gets 422. */
const bad = (parameter: string, value: unknown): Row => ({
  rule: `${parameter} = ${JSON.stringify(value)}`,
  request: claim({ [parameter]: value }),
  expect: [422, 'invalid_request', parameter],
})

/**
 * A row with a value of a parameter that gets 200 with these members. Origins are claimed with the account that allows `*`;
 * `APP` and those that contain `wild` with the main account, which lists them.
 */
const good = (parameter: string, value: unknown, members: Record<string, unknown>): Row => ({
  rule: `${parameter} = ${JSON.stringify(value)} gives ${JSON.stringify(members)}`,
  request: (w) =>
    claimRequest({
      token: parameter === 'origin' && value !== APP && !String(value).includes('wild') ? w.open : w.token,
      origin: SITE,
      [parameter]: value,
    }),
  expect: members,
})

export const parameterRows: readonly Row[] = [
  {
    rule: 'all faults are reported together',
    everywhere: true,
    request: claim({ origin: '*', ip: '', expiresIn: '', jkt: 'x', IP: '1' }),
    expect: [422, 'invalid_request', 'origin', 'ip', 'expiresIn', 'jkt', 'IP'],
  },
  {
    rule: 'origin is required',
    request: (w) => claimRequest({ token: w.token }),
    expect: [422, 'invalid_request', 'origin'],
  },
  ...[
    '',
    'localhost',
    '*',
    'www.example.com',
    'https://*.example.com',
    'https://a..b',
    `https://${'a'.repeat(64)}.com`,
    'https://u@example.com',
    'https:\\\\example.com',
    'https://a b.com',
    'ftp://example.com',
    'ws://example.com',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc',
    'null',
    'capacitor://localhost/path',
    `${SITE}/${'a'.repeat(300 - SITE.length)}`,
    7,
    ['https://a.com'],
  ].map((value) => bad('origin', value)),
  good('origin', `${SITE}/${'a'.repeat(299 - SITE.length)}`, { origin: SITE }),
  good('origin', 'HTTPS://WWW.Example.COM:443/a?b#c', { origin: SITE }),
  good('origin', 'http://127.0.0.1/test>', { origin: 'http://127.0.0.1' }),
  good('origin', 'http://2130706433', { origin: 'http://127.0.0.1' }),
  good('origin', 'https://example.com.', { origin: 'https://example.com.' }),
  {
    ...good('origin', 'https://bücher.example', { origin: 'https://xn--bcher-kva.example' }),
    everywhere: true,
  },
  good('origin', 'https://a.b.wild.example.com', { origin: 'https://a.b.wild.example.com' }),
  good('origin', APP, { origin: APP }),
  {
    rule: 'an app origin that the account does not list, only *',
    request: (w) => claimRequest({ token: w.open, origin: APP }),
    expect: [403, 'origin_not_allowed'],
  },
  ...[
    '',
    [],
    ' ',
    ',',
    '1.2.3.4,',
    ' 1.2.3.4',
    '1.2.3.4 5.6.7.8',
    '01.2.3.4',
    '1.2.3',
    '1.2.3.4:80',
    '[::1]',
    'fe80::1%eth0',
    '10.0.0.1/8',
    '0.0.0.0/0',
    '::/0',
    '::ffff:1.2.3.4/95',
    7,
    ['1.2.3.4', 5],
    ['1.1.1.1', '2.2.2.2', '3.3.3.3', '4.4.4.4', '5.5.5.5'],
  ].map((value) => bad('ip', value)),
  bad('ip', `10.0.0.1,${' '.repeat(240)}10.0.0.2`),
  bad('ip', Array(29).fill('10.0.0.1')),
  good('ip', '203.0.113.7', { ip: '203.0.113.7' }),
  good('ip', '203.0.113.7 , 2001:DB8:0::1', { ip: ['203.0.113.7', '2001:db8::1'] }),
  good('ip', ['::ffff:1.2.3.4', '1.2.3.4/32', '1.2.3.4'], { ip: '1.2.3.4' }),
  good('ip', '::ffff:10.0.0.0/104', { ip: '10.0.0.0/8' }),
  {
    rule: 'ip twice in the query string',
    everywhere: true,
    request: query(`origin=${SITE}&ip=10.0.0.1&ip=10.0.0.2,10.0.0.3`),
    expect: ok({ ip: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] }),
  },
  {
    rule: 'ip empty in the query string',
    request: query(`origin=${SITE}&ip=`),
    expect: [422, 'invalid_request', 'ip'],
  },
  ...['', 9, 86_401, 0, -1, 1.5, '010', '1e3', ' 60', '+60', true, [60]].map((value) =>
    bad('expiresIn', value),
  ),
  good('expiresIn', 10, { expiresIn: 10 }),
  good('expiresIn', '86400', { expiresIn: 86_400 }),
  {
    rule: "expiresIn over the account's maxTtl",
    request: (w) => claimRequest({ token: w.open, origin: SITE, expiresIn: 601 }),
    expect: [422, 'invalid_request', 'expiresIn'],
  },
  {
    rule: "without expiresIn the account's maxTtl limits the lifetime",
    request: (w) => claimRequest({ token: w.open, origin: SITE }),
    expect: ok({ expiresIn: 600 }),
  },
  ...['', 'x', `${jkt}=`, `${jkt.slice(0, -1)}t`, 7].map((value) => bad('jkt', value)),
  { ...good('jkt', jkt, { tokenType: 'DPoP' }), claims: { cnf: { jkt } } },
  ...[7, ['read'], 'read"', 'read '.repeat(205)].map((value) => bad('scope', value)),
  good('scope', '', { scope: 'read write' }),
  good('scope', 'write  read write', { scope: 'read write' }),
  good('scope', 'write', { scope: 'write' }),
  ...[
    'IP',
    'ip[]',
    'ip[0]',
    'i_p',
    'expires_in',
    'ExpiresIn',
    'expires-in',
    'ORIGIN',
    'Scope',
    'JKT',
    'Token',
  ].map(
    (name): Row => ({
      rule: `${name}, which resembles a known name`,
      request: claim({ [name]: 'x' }),
      expect: [422, 'invalid_request', name.replace(/\[.*/, '[]')],
    }),
  ),
]
