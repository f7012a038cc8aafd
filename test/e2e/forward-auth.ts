// Forward auth of a service in this process. A test chooses the address of the peer that sends the requests.

import { afterAll, beforeAll, beforeEach, expect } from 'vitest'
import { type MemoryService, startMemory } from '../support/memory.ts'
import type { WireAnswer, WireRequest } from '../support/wire.ts'
import { claimToken, createWorld, SITE, type World } from '../support/world.ts'

/** The client's address, as the trusted proxy sends it. */
export const CLIENT = '203.0.113.7'

/** Headers of a forward-auth request. They replace the default headers; an empty list removes one. */
export type Headers = NonNullable<WireRequest['headers']>

/** The service and its world. They exist only inside tests, so read the members there. */
export interface ForwardAuth {
  readonly service: MemoryService
  readonly world: World
  /** A token of the world's main account, bound to its site. */
  readonly token: string
  /** Address of the socket's peer for the next requests. Before each test it is set to that of a trusted proxy. */
  peer: string
  /** Sends a forward-auth request with the valid token, from the origin that it is bound to. */
  ask(path: string, headers?: Headers, method?: string): Promise<WireAnswer>
}

/** Starts the service. Call it at the top of a test file. */
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

/** Headers that replace the token by another kind of credential, so that the request has no token. */
export function anonymous(headers: Headers = {}): Headers {
  return { authorization: 'Basic Zm9vOmJhcg==', ...headers }
}

/** Expects 200 with an empty body. Otherwise the failure shows the answer's body. */
export function expectPass(answer: WireAnswer): void {
  expect(answer.status, answer.text).toBe(200)
  expect(answer.text).toBe('')
}
