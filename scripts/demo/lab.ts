// What the page cannot do itself, because a browser would not let it: requests of an attacker's script, and what the
// provider and another visitor do meanwhile. For the page only: the site checks who asks.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClaimClient } from '../../src/client/backend/index.ts'
import type { Attacker } from './attacker.ts'
import type { Issuer } from './issuer.ts'
import { type DemoUrls, readJson, sendJson } from './place.ts'

/** Handles a request for one of its benches. */
export type Lab = (bench: string, request: IncomingMessage, response: ServerResponse) => Promise<void>

/** What a lab works with. */
export interface LabParts {
  readonly urls: DemoUrls
  readonly client: ClaimClient
  readonly attacker: Attacker
  readonly issuer: Issuer
}

/** From the block for documentation (RFC 5737): certainly not the visitor's. */
const NEIGHBOUR = '203.0.113.7'

/** A lab. */
export function createLab({ urls, client, attacker, issuer }: LabParts): Lab {
  const benches: Readonly<Record<string, (input: Readonly<Record<string, unknown>>) => Promise<object>>> = {
    attack: ({ name, token, proof }) => attacker.run(String(name), { token, proof, address: NEIGHBOUR }),
    // As if a visitor there had opened the shop.
    neighbour: async () => {
      const { token } = await client.claim({ origin: urls.site, ip: NEIGHBOUR, expiresIn: 300 })
      return { token, address: NEIGHBOUR }
    },
    revoke: ({ jti }) => issuer.admin('/revocations', { jti }),
  }

  return async (bench, request, response) => {
    const work = Object.hasOwn(benches, bench) ? benches[bench] : undefined
    if (!work) return sendJson(response, 404, { error: 'not_found' })
    try {
      sendJson(response, 200, await work(await readJson(request)))
    } catch (error) {
      sendJson(response, 500, { error: 'internal', detail: (error as Error).message })
    }
  }
}
