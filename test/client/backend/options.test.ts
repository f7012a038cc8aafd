// Options of the endpoints: an unknown or invalid one is a TypeError at creation, whose message names the option.

import { describe, expect, test } from 'vitest'
import {
  type ClaimClient,
  type ClientTokenEndpointOptions,
  createClaimClient,
  createClientTokenEndpoint,
  createNodeClientTokenEndpoint,
  type NodeClientTokenEndpointOptions,
} from '../../../src/client/backend/index.ts'
import { API, TOKEN } from './issuer.ts'

const SITE = 'https://www.example.com'
const GOOD = { authenticate: 'public', baseUrl: API, allowedOrigins: [SITE] } as const
const client = createClaimClient({ issuer: 'https://auth.example.com', token: TOKEN })

const makers = {
  web: (options: object, by: ClaimClient = client) =>
    createClientTokenEndpoint(by, options as ClientTokenEndpointOptions),
  node: (options: object, by: ClaimClient = client) =>
    createNodeClientTokenEndpoint(by, options as NodeClientTokenEndpointOptions),
}

/** The message of the TypeError that a maker throws. */
function faultOf(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return (error as Error).message
  }
  return ''
}

const invalid: readonly (readonly [name: string, ...values: unknown[]])[] = [
  ['authenticate', undefined, null, true, false, 'private', 'Public', {}],
  [
    'allowedOrigins',
    [],
    '*',
    ['*'],
    SITE,
    [SITE, '*'],
    [`${SITE}//`],
    ['*/'],
    ['null'],
    [5],
    null,
    ['https://*.com:*'],
    () => true,
  ],
  [
    'origin',
    '',
    `${SITE}/path`,
    'www.example.com',
    'null',
    'capacitor://localhost',
    'https://*.example.com',
    5,
    null,
  ],
  ['allowGet', 1, 'true', null],
  ['clientTokenUri', '', 5, 'http://', null],
  ['expiresIn', 9, 10.5, '60', 0, -60, Number.NaN, Number.POSITIVE_INFINITY, null],
  ['scope', 'a"b', ['read'], 5, null],
  ['includeConfig', 0, 'false', null],
  [
    'baseUrl',
    undefined,
    '',
    '/api',
    'api.example.com',
    'ftp://api.example.com',
    'https://me:pw@api.example.com',
    5,
    null,
  ],
  ['bindIp', 'yes', 1, null],
  ['trustedProxies', 'everyone', ['1'], ['1', '2'], '10.0.0.1/8', '0.0.0.0/0', -1, 51, 1.5, '', null, {}],
  ['onError', 'log', {}, null],
]

describe.each(Object.entries(makers))('%s', (_, make) => {
  for (const [name, ...values] of invalid) {
    test.each(values.map((value) => [typeof value, value]))(
      `refuses or ignores ${name}: %s %j`,
      (_, value) => {
        // These two options may also be set on the client: null means the client's value, which is not set here.
        const message = faultOf(() => make({ ...GOOD, [name]: value }))
        const isAbsent = value === null && ['allowedOrigins', 'clientTokenUri'].includes(name)
        expect(message).toMatch(isAbsent ? /^$/ : new RegExp(`^${name}: `))
      },
    )
  }

  test.each(['bindIP', 'allowedOrigin', 'secret', 'ttl'])('refuses an unknown option: %s', (name) => {
    expect(faultOf(() => make({ ...GOOD, [name]: true }))).toBe(`${name}: unknown option`)
  })

  test('refuses missing options, and an object that is not a client', () => {
    expect(faultOf(() => make(undefined as unknown as object))).toMatch(/^options: /)
    expect(faultOf(() => make(GOOD, {} as ClaimClient))).toMatch(/^client: /)
    expect(faultOf(() => make(GOOD, null as unknown as ClaimClient))).toMatch(/^client: /)
  })

  test('checks the settings of the client too', () => {
    const by = (settings: object): ClaimClient =>
      createClaimClient({ issuer: 'https://auth.example.com', token: TOKEN, ...settings })
    expect(faultOf(() => make({ authenticate: 'public' }, by({ baseUrl: 'x' })))).toMatch(/^baseUrl: /)
    const empty = by({ baseUrl: API, allowedOrigins: [] })
    expect(faultOf(() => make({ authenticate: 'public' }, empty))).toMatch(/^allowedOrigins: /)
  })

  test('accepts valid options', () => {
    const all = {
      ...GOOD,
      origin: `${SITE}/`,
      allowGet: true,
      clientTokenUri: `${SITE}/api/client-token`,
      expiresIn: 10,
      scope: 'read write',
      includeConfig: true,
      bindIp: true,
      trustedProxies: ['loopback', '10.0.0.0/8'],
      onError: () => undefined,
    }
    const bare = { authenticate: () => true, includeConfig: false, trustedProxies: [] }
    for (const options of [all, bare]) expect(faultOf(() => make(options))).toBe('')
  })
})
