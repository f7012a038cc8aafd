// A client's options from the environment of the customer's backend. Judges nothing: what it gives is judged where
// it is used.

import type { ClaimClientOptions } from './claim-types.ts'

/**
 * Reads `CLAIMGATE_ISSUER`, `CLAIMGATE_ACCOUNT_TOKEN` or `CLAIMGATE_CLIENT_ID` + `CLAIMGATE_CLIENT_SECRET`,
 * `CLAIMGATE_CLIENT_TOKEN_URI`, `CLAIMGATE_ALLOWED_ORIGINS` (comma list) and `CLAIMGATE_API_URL`; where they are not
 * set, `MISO_CONTROLLER_URL`, `MISO_CLIENTID` + `MISO_CLIENTSECRET`, `MISO_ALLOWED_ORIGINS`. Empty counts as not set.
 * `env` is the process's own where there is one; on Workers, give the bindings.
 *
 * @example
 * const client = createClaimClient(loadConfig())
 */
export function loadConfig(env: object = environment()): ClaimClientOptions {
  const read = (name: string): string | undefined => {
    const value: unknown = Reflect.get(env, name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const readPair = (idName: string, secretName: string) => {
    const [clientId, clientSecret] = [read(idName), read(secretName)]
    return clientId && clientSecret ? { clientId, clientSecret } : undefined
  }
  const token = read('CLAIMGATE_ACCOUNT_TOKEN')
  // Pairs are taken whole: an id and a secret of different credentials would fit nobody.
  const pair =
    readPair('CLAIMGATE_CLIENT_ID', 'CLAIMGATE_CLIENT_SECRET') ??
    readPair('MISO_CLIENTID', 'MISO_CLIENTSECRET')
  return {
    issuer: read('CLAIMGATE_ISSUER') ?? read('MISO_CONTROLLER_URL'),
    ...(token === undefined && pair !== undefined ? pair : { token }),
    clientTokenUri: read('CLAIMGATE_CLIENT_TOKEN_URI'),
    allowedOrigins: splitList(read('CLAIMGATE_ALLOWED_ORIGINS') ?? read('MISO_ALLOWED_ORIGINS')),
    baseUrl: read('CLAIMGATE_API_URL'),
  }
}

/** A list without an entry stays a list: it allows nobody, which is not what an absent one means. */
function splitList(text: string | undefined): readonly string[] | undefined {
  return text
    ?.split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}

function environment(): object {
  return (globalThis as { readonly process?: { readonly env?: object } }).process?.env ?? {}
}
