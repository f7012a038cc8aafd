// Starts the four servers of the demo and tells each of them the addresses and the secret that it needs.

import { createClaimClient } from '../../src/client/backend/index.ts'
import { serveApi } from './api.ts'
import { createAttacker } from './attacker.ts'
import { type DemoUrls, openServer } from './demo-server.ts'
import { startIssuer } from './issuer.ts'
import { createLab } from './lab.ts'
import { serveSite } from './site.ts'
import { serveThief } from './thief.ts'

/** Options of {@link startDemo}; all are required. */
export interface DemoOptions {
  /** The first of four consecutive ports; undefined: any four free ports. */
  readonly port: number | undefined
  /** Called with a function that stops a server or process, as soon as that runs. */
  readonly onStop: (end: () => Promise<void> | void) => void
  /** Called when a process of the demo ends without being stopped. */
  readonly onFailure: (message: string) => void
}

/** Starts all four servers. Rejects when one of them cannot start. */
export async function startDemo({ port, onStop, onFailure }: DemoOptions): Promise<DemoUrls> {
  const portOf = (index: number): number => (port === undefined ? 0 : port + index)
  const open = async (index: number) => {
    const server = await openServer(portOf(index))
    onStop(server.stop)
    return server
  }
  const [site, api, thief] = [await open(0), await open(1), await open(2)] as const
  const issuer = await startIssuer(portOf(3), onStop, onFailure)
  const urls = { site: site.origin, api: api.origin, thief: thief.origin, issuer: issuer.url }

  // The API provider does this once for each customer.
  const { credential } = await issuer.admin<{ credential: { token: string } }>('/accounts', {
    name: 'Fern & Frond',
    allowedOrigins: [urls.site],
    scopes: ['plants:read'],
  })
  // The account token stays in the customer's backend.
  const client = createClaimClient({ issuer: urls.issuer, token: credential.token })
  const attacker = createAttacker(urls)
  onStop(attacker.stop)
  serveApi(api, urls)
  serveThief(thief)
  await serveSite(site, urls, client, createLab({ urls, client, attacker, issuer }))
  return urls
}
