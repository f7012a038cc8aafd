// Attacks that need several parts of the service, and the tests that cover each of them. When such a test is renamed or
// deleted, update this list.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

type Tests = readonly (readonly [file: string, name: string])[]

/** Each attack, with the files and names of the tests that cover it. */
const threats: readonly (readonly [attack: string, tests: Tests])[] = [
  [
    'a body is held back while its credential is revoked',
    [
      ['issue/complete.test.ts', '%s while the body arrives: no token'],
      ['issue/complete.test.ts', 'an assertion that expires while the body arrives is refused'],
    ],
  ],
  [
    'a second process on the same database keeps issuing after a revocation',
    [
      ['e2e/bad-day.test.ts', 'a leaked secret: rotated without overlap, then revoked by client'],
      [
        'admin/end-tokens.test.ts',
        'ends tokens at both services before it is answered, and later tokens pass',
      ],
      ['storage/rule-contract.ts', 'a reader that follows by number misses no rule of 60 concurrent writers'],
    ],
  ],
  [
    'a forged preflight behind each proxy',
    [
      ['e2e/no-way-round.ts', 'a request without a token does not reach the API: $name'],
      ['e2e/no-way-round.ts', 'a preflight is answered and does not reach the API: $name'],
      ['e2e/forward-auth-models.test.ts', 'a request with an altered token does not reach the API: $name'],
      [
        'e2e/forward-auth-strangers.test.ts',
        'a preflight that describes another request is not answered as one',
      ],
    ],
  ],
  [
    'a token without an origin at an API with default options',
    [
      ['issue/require-origin.test.ts', '%s without an origin: refused with the reason'],
      ['verify/threats-claims.test.ts', 'a token without an origin passes only where the API says so'],
    ],
  ],
  [
    'a body that a parser has already read',
    [
      ['client/backend/parsed-body.test.ts', 'a parser that read the body'],
      ['client/backend/parsed-body.test.ts', 'because there is none, and left %j: a token without a key'],
    ],
  ],
  [
    'one tenant fills the store of used proofs',
    [
      [
        'counters/memory-one-time.test.ts',
        'is full at its budget and gets the time until it has room; other tenants are not affected',
      ],
      ['service/rate-limited.test.ts', 'a key with too many proofs'],
      ['e2e/crowd/crowd.test.ts', 'one tenant attacks at full speed, another is served as before'],
    ],
  ],
  [
    'one tenant fills the list of revocations',
    [
      ['oauth/revoke-budget.test.ts', 'gets 429 with each of its credentials; other accounts do not'],
      [
        'oauth/revoke-budget.test.ts',
        'each gets 503, which is counted; tokens stay valid; operators can still revoke',
      ],
      ['storage/rule-contract.ts', 'a budget counts only rules of customers that have not expired'],
    ],
  ],
  [
    'one tenant fills the store of used assertions',
    [
      ['oauth/assertion-use.test.ts', 'another client may use the same jti'],
      ['service/upkeep.test.ts', 'deletes used assertions an hour after their expiry'],
    ],
  ],
  [
    'a flood of addresses pushes out the limits of credentials',
    [
      ['issue/limits.test.ts', 'do not give a new window to a credential over its limit'],
      ['issue/limits.test.ts', 'do not give a new window to a client whose assertions are over the limit'],
    ],
  ],
  [
    'an older feed of revocations is served again',
    [
      ['verify/revocation-order.test.ts', 'the last list stays in use when the next one'],
      ['verify/revocation-order.test.ts', 'is signed with a key that the last one revoked'],
      [
        'verify/revocation-order.test.ts',
        'a list that is signed again with the same iat does not become younger',
      ],
    ],
  ],
  [
    'the system clock is set back',
    [
      ['counters/memory-limits.test.ts', 'changes of the wall clock have no effect'],
      [
        'counters/memory-one-time.test.ts',
        'is not blocked by ids from before the clock was set back, and they stay used',
      ],
      [
        'service/revocation-document.test.ts',
        'setting the clock back does not serve a list with a later date',
      ],
      ['verify/revocation-feed.test.ts', 'a clock that was set back does not stop it'],
      ['verify/remote-keys.test.ts', 'a clock that was set back does not lengthen any interval'],
    ],
  ],
  [
    'the folder of signing keys is read-only, or belongs to another user',
    [
      [
        'e2e/key-folder.test.ts',
        'a revoked key never signs again, with or without a next key, also after a restart',
      ],
      [
        'e2e/key-folder.test.ts',
        'keys that root changes on the command line stay usable for the user of the server',
      ],
      ['adapters/key-ownership.test.ts', 'a folder of mode %o is open to others: %s'],
    ],
  ],
  [
    'a client sends its request byte by byte, or never to the end',
    [
      [
        'e2e/http-edges.test.ts',
        'gets a 408 in the format of its path 30 seconds after the first byte of head or body; a connection without a byte stays open',
      ],
    ],
  ],
]

/** Whether a file has a test or describe with this name. A mention of the name elsewhere does not count. */
function hasTest(file: string, name: string): boolean {
  const text = readFileSync(join(import.meta.dirname, '..', file), 'utf8')
  const quoted = [`'${name}'`, `"${name}"`, `\`${name}\``]
  return quoted.some((one) =>
    text
      .split(one)
      .slice(0, -1)
      .some((before) => /(^|[^\w.])((describe|test|it)(\.\w+(\([^)]*\))?)*|[\])])\s*\(\s*$/.test(before)),
  )
}

describe.each(threats)('%s', (_attack, tests) => {
  test.each(tests)('%s: %s', (file, name) => {
    expect(hasTest(file, name)).toBe(true)
  })
})

test('a name that is only mentioned is not found', () => {
  expect(hasTest('verify/threats-between.test.ts', 'a name that is only mentioned is not found')).toBe(true)
  expect(
    hasTest(
      'verify/threats-between.test.ts',
      'a list that is signed again with the same iat does not become younger',
    ),
  ).toBe(false)
  expect(hasTest('issue/limits.test.ts', 'a name that is only mentioned is not found')).toBe(false)
})
