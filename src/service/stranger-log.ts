// The log line about peers that ask forward auth like a proxy and are no trusted one: usually the operator's own proxy,
// whose address is missing in the configuration. So the line shows the address whole, once a minute in all.

import { formatAddress, parseAddress } from '../claims/ip.ts'
import type { Logger } from '../http/log.ts'
import { createMinuteLine } from '../http/minute-line.ts'

/** Notes one such question at `now`, epoch milliseconds. */
export type NoteStranger = (peer: string | undefined, now: number) => void

/** A log of such peers. */
export function createStrangerLog(log: Logger): NoteStranger {
  const tell = createMinuteLine()
  return (peer, now) =>
    tell(now, (count) =>
      log.warn(
        'forward auth refuses a peer that asks like a proxy: CLAIMGATE_TRUSTED_PROXIES does not name it',
        { peer: describePeer(peer), count },
      ),
    )
}

/** In the spelling that the configuration takes: an IPv4 peer on an IPv6 socket is an IPv4 address. */
function describePeer(peer: string | undefined): string {
  const address = peer === undefined ? undefined : parseAddress(peer)
  return address === undefined ? 'unknown' : formatAddress(address)
}
