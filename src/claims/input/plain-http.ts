// When keys, revocations and secrets may be sent without TLS: on this machine, and where the operator allows it.

/**
 * Whether a host is this machine: `localhost`, 127.0.0.0/8 or `[::1]`. Takes the `hostname` of a URL, which is canonical;
 * other spellings (`LOCALHOST`, `127.1`, `::1`) are false.
 */
export function isLoopbackHost(hostname: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

/** Whether requests may go to this URL: https to any host, http only to this machine or when `allowInsecure` is true. */
export function isSafeTransport({ protocol, hostname }: URL, allowInsecure: boolean): boolean {
  return protocol === 'https:' || (protocol === 'http:' && (allowInsecure || isLoopbackHost(hostname)))
}

/** The rule of `isSafeTransport` for an error message, without the option's name before it. */
export const TRANSPORT_RULE =
  'must be an https URL; http: is for this machine (localhost, 127.0.0.1, [::1]), and for a private network with allowInsecureIssuer: true'
