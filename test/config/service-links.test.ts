// Variables that Kubernetes and Docker put into the environment of a container next to a service called claimgate.

import { describe, expect, test } from 'vitest'
import { ConfigError, parseConfig } from '../../src/config/config.ts'

/** The variables that `parseConfig` reports. */
function reported(env: Record<string, string>): readonly string[] {
  try {
    parseConfig(env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ variable }) => variable)
    throw error
  }
}

/** What Kubernetes makes of one service with two named ports. `prefix` is the name of the service. */
function kubernetes(prefix: string, address: string, host = address): Record<string, string> {
  return {
    [`${prefix}_SERVICE_HOST`]: address,
    [`${prefix}_SERVICE_PORT`]: '80',
    [`${prefix}_SERVICE_PORT_HTTP_WEB`]: '80',
    [`${prefix}_SERVICE_PORT_DNS`]: '5353',
    [`${prefix}_PORT`]: `tcp://${host}:80`,
    [`${prefix}_PORT_80_TCP`]: `tcp://${host}:80`,
    [`${prefix}_PORT_80_TCP_PROTO`]: 'tcp',
    [`${prefix}_PORT_80_TCP_PORT`]: '80',
    [`${prefix}_PORT_80_TCP_ADDR`]: address,
    [`${prefix}_PORT_5353_UDP`]: `udp://${host}:5353`,
    [`${prefix}_PORT_5353_UDP_PROTO`]: 'udp',
    [`${prefix}_PORT_5353_UDP_ADDR`]: address,
    [`${prefix}_PORT_9_SCTP`]: `sctp://${host}:9`,
  }
}

/** What Docker makes of `--link shop-auth:claimgate`. */
const docker = {
  CLAIMGATE_NAME: '/shop/claimgate',
  CLAIMGATE_PORT: 'tcp://172.17.0.5:8000',
  CLAIMGATE_PORT_8000_TCP_START: 'tcp://172.17.0.5:8000',
  CLAIMGATE_PORT_8000_TCP_END: 'tcp://172.17.0.5:8009',
  CLAIMGATE_PORT_8000_TCP_PORT_START: '8000',
  CLAIMGATE_PORT_8000_TCP_PORT_END: '8009',
  CLAIMGATE_ENV_PATH: '/usr/local/bin:/usr/bin',
  CLAIMGATE_ENV_npm_config_cache: '/root/.npm',
  CLAIMGATE_1_ENV_CLAIMGATE_ALG: 'none of our business',
}

describe('are ignored', () => {
  test.each([
    ['a Kubernetes service', kubernetes('CLAIMGATE', '10.43.7.9')],
    ['a Kubernetes service with a longer name', kubernetes('CLAIMGATE_EU_2', '10.43.7.9')],
    [
      'a Kubernetes service with an IPv6 address',
      kubernetes('CLAIMGATE', 'fd00:10:96::a', '[fd00:10:96::a]'),
    ],
    ['a Docker link', docker],
  ])('%s', (_, env) => {
    expect(reported(env)).toEqual([])
  })

  test.each(Object.entries({ ...kubernetes('CLAIMGATE', '10.43.7.9'), ...docker }))(
    '%s alone',
    (name, value) => {
      expect(reported({ [name]: value })).toEqual([])
    },
  )
})

describe('are typos when the value is not that of a link', () => {
  test.each([
    ['CLAIMGATE_SERVICE_HOST', 'auth.example.com'],
    ['CLAIMGATE_SERVICE_PORT', 'http'],
    ['CLAIMGATE_PORT', '8787'],
    ['CLAIMGATE_PORT', 'http://10.43.7.9:80'],
    ['CLAIMGATE_PORT', 'tcp://auth.example.com:80'],
    ['CLAIMGATE_PORT_80_TCP', '80'],
    ['CLAIMGATE_PORT_80_TCP_PROTO', 'https'],
    ['CLAIMGATE_PORT_80_TCP_PORT', 'eighty'],
    ['CLAIMGATE_PORT_80_TCP_ADDR', 'auth'],
    ['CLAIMGATE_PORT_80_TCP_ADRR', '10.43.7.9'],
    ['CLAIMGATE_PORT_HTTP_TCP', 'tcp://10.43.7.9:80'],
    ['CLAIMGATE_NAME', 'auth'],
    ['CLAIMGATE_ENVIRONMENT', 'production'],
    ['CLAIMGATE_HOST', '10.43.7.9'],
  ])('%s=%s', (name, value) => {
    expect(reported({ [name]: value })).toEqual([name])
  })
})

test('a setting is read even when its value has the form of a link', () => {
  expect(reported({ CLAIMGATE_ISSUER: 'tcp://10.43.7.9:80' })).toEqual(['CLAIMGATE_ISSUER'])
})
