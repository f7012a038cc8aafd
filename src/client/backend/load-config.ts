// The options of a client from the environment of the customer's backend.

import type { ClaimClientOptions, ClientCredential } from './types.ts'

/**
 * Reads the options of `createClaimClient` from environment variables: `CLAIMGATE_ISSUER`, `CLAIMGATE_ACCOUNT_TOKEN` or
 * `CLAIMGATE_CLIENT_ID` + `CLAIMGATE_CLIENT_SECRET`, `CLAIMGATE_CLIENT_TOKEN_URI`, `CLAIMGATE_ALLOWED_ORIGINS`
 * (separated by commas) and `CLAIMGATE_API_URL`. Without issuer and credential of that family, `MISO_CONTROLLER_URL`,
 * `MISO_CLIENTID` + `MISO_CLIENTSECRET`; `MISO_ALLOWED_ORIGINS` where the other list is not set. An empty variable counts
 * as not set. Not checked: everything that `createClaimClient` checks.
 *
 * @param env default: `process.env`, or no variables where there is no `process`. On Workers, pass the bindings.
 * @throws {TypeError} when issuer and credential are of different families, when both families are complete, or when a
 *   secret begins or ends with white space. The message names variables, never values.
 * @example
 * const client = createClaimClient(loadConfig())
 */
export function loadConfig(env: object = globalThis.process?.env ?? {}): ClaimClientOptions {
  const read = (name: string): string | undefined => {
    const value: unknown = Reflect.get(env, name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const readSecret = (name: string): string | undefined => {
    const value = read(name)
    if (value !== value?.trim()) throw new TypeError(`${name}: begins or ends with a blank or a line end`)
    return value
  }
  // Both or none: an id with the secret of another credential would be refused.
  const readPair = (idName: string, secretName: string): ClientCredential | undefined => {
    const [clientId, clientSecret] = [read(idName), readSecret(secretName)]
    return clientId && clientSecret ? { clientId, clientSecret } : undefined
  }
  const token = readSecret('CLAIMGATE_ACCOUNT_TOKEN')
  const ownPair = readPair('CLAIMGATE_CLIENT_ID', 'CLAIMGATE_CLIENT_SECRET')
  const own: Family = {
    issuer: read('CLAIMGATE_ISSUER'),
    credential: token === undefined ? ownPair : { token },
  }
  const miso: Family = {
    issuer: read('MISO_CONTROLLER_URL'),
    credential: readPair('MISO_CLIENTID', 'MISO_CLIENTSECRET'),
  }
  const { issuer, credential = { token: undefined } } = chooseFamily(own, miso)
  return {
    issuer,
    ...credential,
    clientTokenUri: read('CLAIMGATE_CLIENT_TOKEN_URI'),
    allowedOrigins: splitList(read('CLAIMGATE_ALLOWED_ORIGINS') ?? read('MISO_ALLOWED_ORIGINS')),
    baseUrl: read('CLAIMGATE_API_URL'),
  }
}

/** An issuer and the credential for it, from variables with the same prefix. */
interface Family {
  readonly issuer: string | undefined
  readonly credential: ClientCredential | undefined
}

/** The CLAIMGATE family if any of it is set. Throws when a credential could be sent to the other family's issuer. */
function chooseFamily(own: Family, miso: Family): Family {
  const isComplete = ({ issuer, credential }: Family): boolean =>
    issuer !== undefined && credential !== undefined
  if (isComplete(own) && isComplete(miso)) throw new TypeError(`${FAMILIES}: both are complete; keep one`)
  const hasOwn = own.issuer !== undefined || own.credential !== undefined
  const isMixed =
    hasOwn && !isComplete(own) && (own.issuer === undefined ? miso.issuer : miso.credential) !== undefined
  if (isMixed) throw new TypeError(`${FAMILIES}: issuer and credential must come from one of the two`)
  return hasOwn ? own : miso
}

const FAMILIES =
  'CLAIMGATE_ISSUER with CLAIMGATE_ACCOUNT_TOKEN (or CLAIMGATE_CLIENT_ID, CLAIMGATE_CLIENT_SECRET), MISO_CONTROLLER_URL with MISO_CLIENTID, MISO_CLIENTSECRET'

/** The entries of a comma list. Without an entry it is an empty list, which allows no page; undefined means the default. */
function splitList(text: string | undefined): readonly string[] | undefined {
  return text
    ?.split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}
