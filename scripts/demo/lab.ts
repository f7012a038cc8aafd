// Does for the page what a browser does not allow: requests of an attacker's script, and actions of the provider and of
// another visitor. site.ts lets only its own page use it.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ClaimClient } from '../../src/client/backend/index.ts'
import type { Attacker } from './attacker.ts'
import { type DemoUrls, readJson, sendJson } from './demo-server.ts'
import type { Issuer } from './issuer.ts'

/** Handles a request; `task` is its name. Answers 404 for unknown names and 500 for failures. */
export type Lab = (task: string, request: IncomingMessage, response: ServerResponse) => Promise<void>

/** Parameters of {@link createLab}: what the tasks of the lab use. */
export interface LabParts {
  readonly urls: DemoUrls
  readonly client: ClaimClient
  readonly attacker: Attacker
  readonly issuer: Issuer
}

/** An address reserved for documentation (RFC 5737), so it is not the visitor's. */
const NEIGHBOUR = '203.0.113.7'

/** Creates the request handler of the lab, with the tasks `attack`, `neighbour` and `revoke`. */
export function createLab({ urls, client, attacker, issuer }: LabParts): Lab {
  const tasks: Readonly<Record<string, (input: Readonly<Record<string, unknown>>) => Promise<object>>> = {
    attack: ({ name, token, proof }) => attacker.run(String(name), { token, proof, address: NEIGHBOUR }),
    // As if a visitor at that address had opened the shop.
    neighbour: async () => {
      const { token } = await client.claim({ origin: urls.site, ip: NEIGHBOUR, expiresIn: 300 })
      return { token, address: NEIGHBOUR }
    },
    revoke: ({ jti }) => issuer.admin('/revocations', { jti }),
  }

  return async (task, request, response) => {
    const work = Object.hasOwn(tasks, task) ? tasks[task] : undefined
    if (!work) return sendJson(response, 404, { error: 'not_found' })
    try {
      sendJson(response, 200, await work(await readJson(request)))
    } catch (error) {
      sendJson(response, 500, { error: 'internal', detail: (error as Error).message })
    }
  }
}
