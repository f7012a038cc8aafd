// The options of a client from the environment of the customer's backend.

import type { ClaimClientOptions, ClientCredential } from './types.ts'

/**
 * Reads the options of `createClaimClient` from environment variables: `CLAIMGATE_ISSUER`, `CLAIMGATE_ACCOUNT_TOKEN` or
 * `CLAIMGATE_CLIENT_ID` + `CLAIMGATE_CLIENT_SECRET`, `CLAIMGATE_CLIENT_TOKEN_URI`, `CLAIMGATE_ALLOWED_ORIGINS`
 * (separated by commas) and `CLAIMGATE_API_URL`. When neither issuer nor credential is set under these names, it reads
 * `MISO_CONTROLLER_URL` and `MISO_CLIENTID` + `MISO_CLIENTSECRET`, the names of miso-client. `MISO_ALLOWED_ORIGINS` counts
 * when `CLAIMGATE_ALLOWED_ORIGINS` is not set. An empty variable counts as not set. Not checked: everything that
 * `createClaimClient` checks.
 *
 * @param env default: `process.env`, or no variables where there is no `process`. On Workers, pass the bindings.
 * @throws {TypeError} when one of issuer and credential has a `CLAIMGATE_` name and the other a `MISO_` name, when both are
 *   complete under both names, or when a secret begins or ends with white space. The message names variables, never values.
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
  // An id without its secret counts as not set, so that it is never combined with the secret of another credential.
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

/**
 * Chooses the CLAIMGATE variables when they have an issuer or a credential, else the MISO variables. Throws a TypeError when
 * both are complete, or when the credential of one family could be sent to the issuer of the other.
 */
function chooseFamily(own: Family, miso: Family): Family {
  const isComplete = ({ issuer, credential }: Family): boolean =>
    issuer !== undefined && credential !== undefined
  if (isComplete(own) && isComplete(miso))
    throw new TypeError(`${FAMILIES}: both sets are complete; keep one of them`)
  const hasOwn = own.issuer !== undefined || own.credential !== undefined
  const isMixed =
    hasOwn && !isComplete(own) && (own.issuer === undefined ? miso.issuer : miso.credential) !== undefined
  if (isMixed) throw new TypeError(`${FAMILIES}: issuer and credential must come from the same set`)
  return hasOwn ? own : miso
}

const FAMILIES =
  'CLAIMGATE_ISSUER with CLAIMGATE_ACCOUNT_TOKEN (or with CLAIMGATE_CLIENT_ID and CLAIMGATE_CLIENT_SECRET), and MISO_CONTROLLER_URL with MISO_CLIENTID and MISO_CLIENTSECRET'

/**
 * The entries of a comma list; undefined when the variable is not set. A text without an entry gives an empty list, which an
 * endpoint refuses: it must not count as the default.
 */
function splitList(text: string | undefined): readonly string[] | undefined {
  return text
    ?.split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}
