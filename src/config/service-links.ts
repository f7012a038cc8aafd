// Names that Kubernetes and Docker put into the environment of every container next to a service called `claimgate…`. They
// begin like a setting, but nobody wrote them.

import { parseAddress } from '../claims/ip.ts'

type CheckValue = (value: string) => boolean

/** `tcp://10.96.0.12:8787`, with an IPv6 address in brackets. */
const LINK_URL = /^(?:tcp|udp|sctp):\/\/(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/

const isAddress: CheckValue = (value) => parseAddress(value) !== undefined
const isPort: CheckValue = (value) => /^\d{1,5}$/.test(value)
const isProtocol: CheckValue = (value) => /^(?:tcp|udp|sctp)$/.test(value)
const isUrl: CheckValue = (value) => {
  const [, bracketed, plain = ''] = LINK_URL.exec(value) ?? []
  return isAddress(bracketed ?? plain)
}

/** How a service's names begin: `CLAIMGATE`, or `CLAIMGATE_API` for a service called `claimgate-api`. */
const SERVICE = '^CLAIMGATE(?:_[A-Z0-9_]+)?'
/** Below `…_PORT`: the port of the service and its protocol. */
const PORT = `${SERVICE}_PORT_\\d+_(?:TCP|UDP|SCTP)`

/** The end of each name, and the values that a link gives it. Docker's `START` and `END` are those of a range of ports. */
const LINKS: readonly (readonly [name: RegExp, isLinkValue: CheckValue])[] = [
  [new RegExp(`${SERVICE}_SERVICE_HOST$`), isAddress],
  [new RegExp(`${SERVICE}_SERVICE_PORT(?:_[A-Z0-9_]+)?$`), isPort],
  [new RegExp(`${SERVICE}_PORT$`), isUrl],
  [new RegExp(`${PORT}(?:_START|_END)?$`), isUrl],
  [new RegExp(`${PORT}_PROTO$`), isProtocol],
  [new RegExp(`${PORT}_PORT(?:_START|_END)?$`), isPort],
  [new RegExp(`${PORT}_ADDR$`), isAddress],
  // The names of the linked container and of its alias: `/shop/claimgate`.
  [new RegExp(`${SERVICE}_NAME$`), (value) => /^\/[^/]+\/[^/]+$/.test(value)],
  // Every variable of the linked container.
  [new RegExp(`${SERVICE}_ENV_\\w+$`), () => true],
]

/**
 * Whether a variable is a service link of Kubernetes or a container link of Docker, by its name and the form of its value. A
 * name of this form with another value is probably a mistake: `CLAIMGATE_PORT=8787` is none, the link's value is a URL.
 */
export function isServiceLink(name: string, value: string): boolean {
  return LINKS.some(([pattern, isLinkValue]) => pattern.test(name) && isLinkValue(value))
}
