// The log line about untrusted peers that send proxy headers to forward auth: usually the operator's own proxy, whose
// address is missing in the configuration. So the line shows the whole address, at most once a minute.

import { formatAddress, parseAddress } from '../../claims/ip.ts'
import type { Logger } from '../../http/log.ts'
import { createMinuteLine } from '../../http/minute-line.ts'

/** Reports one such request at `now`, epoch milliseconds. */
export type NoteStranger = (peer: string | undefined, now: number) => void

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

/** As the configuration expects it: an IPv4 peer on an IPv6 socket is written as an IPv4 address. */
function describePeer(peer: string | undefined): string {
  const address = peer === undefined ? undefined : parseAddress(peer)
  return address === undefined ? 'unknown' : formatAddress(address)
}
