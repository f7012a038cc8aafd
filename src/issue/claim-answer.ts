// The answer to a claim.

import { formatSecond } from '../http/context.ts'
import type { IssuedToken } from './issue.ts'

/** The JSON body of a 200. */
export function claimAnswer({ token, claims }: IssuedToken): string {
  const expiresAt = formatSecond(claims.exp)
  return JSON.stringify({
    token,
    tokenType: claims.cnf === undefined ? 'Bearer' : 'DPoP',
    expiresIn: claims.exp - claims.iat,
    expiresAt,
    expiration: formatMinute(expiresAt),
    origin: claims.origin,
    ip: claims.ip,
    scope: claims.scope,
  })
}

/** `MM-DD-YYYY HH:MM`, UTC: the spelling that Trefle's users parse. Takes ISO 8601. */
function formatMinute(iso: string): string {
  return `${iso.slice(5, 10)}-${iso.slice(0, 4)} ${iso.slice(11, 16)}`
}
