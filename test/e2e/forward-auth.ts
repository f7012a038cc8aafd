// Forward auth in this process, asked by whatever peer a test wants to be.

import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import type { WireAnswer, WireRequest } from '../support/wire.ts'
import { claimToken, createWorld, SITE, type World } from '../support/world.ts'

/** Address of the client that the trusted proxy tells of. */
export const CLIENT = '203.0.113.7'

/** Headers of a question; an empty list takes one away. */
export type Headers = NonNullable<WireRequest['headers']>

/** What a test file works with; to be read inside tests. */
export interface ForwardAuth {
  readonly service: MemoryService
  readonly world: World
  /** A token of the world's main account, bound to its site. */
  readonly token: string
  /** The socket's peer of the next questions; a trusted proxy before each test. */
  peer: string
  /** A question with the good token, from the bound origin. */
  ask(path: string, headers?: Headers, method?: string): Promise<WireAnswer>
}

/** To be called at the top of a test file. */
export function useForwardAuth(): ForwardAuth {
  let service: MemoryService
  let world: World
  let token: string
  const auth: ForwardAuth = {
    get service() {
      return service
    },
    get world() {
      return world
    },
    get token() {
      return token
    },
    peer: '',
    ask: (path, headers = {}, method = 'GET') =>
      world.send({
        method,
        path,
        headers: {
          origin: SITE,
          authorization: `Bearer ${token}`,
          'x-forwarded-for': CLIENT,
          ...headers,
        },
      }),
  }
  beforeAll(async () => {
    const env = { CLAIMGATE_TRUSTED_PROXIES: '10.0.0.0/8', CLAIMGATE_ISSUER: 'https://auth.example.com' }
    service = await startMemory(env, { peerOf: () => auth.peer })
    world = await createWorld(service)
    token = await claimToken(world)
  })
  afterAll(() => service?.stop())
  beforeEach(() => {
    auth.peer = '10.0.0.1'
  })
  return auth
}

/** Headers without a token. */
export function anonymous(headers: Headers = {}): Headers {
  return { authorization: 'Basic Zm9vOmJhcg==', ...headers }
}

/** Whether the request may pass. */
export function expectPass(answer: WireAnswer): void {
  expect(answer.status, answer.text).toBe(200)
  expect(answer.text).toBe('')
}
