// The log line about an untrusted peer that sends proxy headers to forward auth. Usually it is the operator's own proxy,
// whose address is missing in the configuration. So the line contains the whole address, at most once a minute.

import { formatAddress, parseAddress } from '../../claims/ip.ts'
import type { Logger } from '../../http/log.ts'
import { createMinuteLine } from '../../http/minute-line.ts'

/** Reports one such request. `peer` is the address of the socket's peer, `now` epoch milliseconds. */
export type ReportUntrustedPeer = (peer: string | undefined, now: number) => void

/** Creates the function that reports to this log. Each has its own count and minute. */
export function createUntrustedPeerLog(log: Logger): ReportUntrustedPeer {
  const writeOncePerMinute = createMinuteLine()
  return (peer, now) =>
    writeOncePerMinute(now, (count) =>
      log.warn(
        'forward auth refuses a peer that asks like a proxy: CLAIMGATE_TRUSTED_PROXIES does not name it',
        { peer: formatPeer(peer), count },
      ),
    )
}

/**
 * The address as the configuration expects it: without the IPv6 mapping of an IPv4 address. One with a zone, which the
 * configuration cannot name, stays as it is.
 */
function formatPeer(peer: string | undefined): string {
  const address = peer === undefined ? undefined : parseAddress(peer)
  return address === undefined ? (peer ?? 'unknown') : formatAddress(address)
}
