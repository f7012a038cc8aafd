// When keys, revocations and secrets may be sent without TLS: on this machine, and on networks that the operator has
// declared private.

/** Whether a URL's host is this machine, by name or address. */
function isLoopbackHost(hostname: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

/** Whether requests may go to this URL: https, or http to this machine; to any host where `allowInsecure` is set. */
export function isSafeTransport({ protocol, hostname }: URL, allowInsecure: boolean): boolean {
  return protocol === 'https:' || (protocol === 'http:' && (allowInsecure || isLoopbackHost(hostname)))
}

/** The rule as an error message, to follow the option's name. */
export const TRANSPORT_RULE =
  'must be an https URL; http: is for this machine (localhost, 127.0.0.1, [::1]), and for a private network with allowInsecureIssuer: true'
