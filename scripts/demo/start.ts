// Puts the four places of the demo together: who knows whose address, and who holds which secret.

import { createClaimClient } from '../../src/client/backend/index.ts'
import { serveApi } from './api.ts'
import { createAttacker } from './attacker.ts'
import { startIssuer } from './issuer.ts'
import { createLab } from './lab.ts'
import { openPlace } from './place.ts'
import { serveSite } from './site.ts'
import { serveThief } from './thief.ts'

/** What the demo needs of the process it runs in. */
export interface DemoOptions {
  /** First of four ports; free ones otherwise. */
  readonly port: number | undefined
  /** Told of each thing that must be ended, as soon as it exists. */
  readonly onStop: (end: () => Promise<void> | void) => void
  /** Told when something ended by itself. */
  readonly onFailure: (message: string) => void
}

/** The origins of a running demo. */
export interface DemoUrls {
  readonly site: string
  readonly api: string
  readonly thief: string
  readonly issuer: string
}

/** Starts all four places. Rejects when one cannot start. */
export async function startDemo({ port, onStop, onFailure }: DemoOptions): Promise<DemoUrls> {
  const portOf = (index: number): number => (port === undefined ? 0 : port + index)
  const open = async (index: number) => {
    const place = await openPlace(portOf(index))
    onStop(place.stop)
    return place
  }
  const [site, api, thief] = [await open(0), await open(1), await open(2)] as const
  const issuer = await startIssuer(portOf(3), onStop, onFailure)
  const urls = { site: site.origin, api: api.origin, thief: thief.origin, issuer: issuer.url }

  // What the provider does once for each customer.
  const { credential } = await issuer.admin('/accounts', {
    name: 'Fern & Frond',
    allowedOrigins: [urls.site],
    scopes: ['plants:read'],
  })
  // What the customer's backend holds from then on.
  const client = createClaimClient({ issuer: urls.issuer, token: credential.token })
  const attacker = createAttacker(urls)
  onStop(attacker.stop)
  serveApi(api, urls)
  serveThief(thief)
  await serveSite(site, urls, client, createLab({ urls, client, attacker, issuer }))
  return urls
}
