// A client's options from the environment of the customer's backend. Checks only that no credential is sent to another
// service's issuer; the values are checked by the functions that use them.

import type { ClaimClientOptions, ClientCredential } from './types.ts'

/**
 * Reads `CLAIMGATE_ISSUER`, `CLAIMGATE_ACCOUNT_TOKEN` or `CLAIMGATE_CLIENT_ID` + `CLAIMGATE_CLIENT_SECRET`,
 * `CLAIMGATE_CLIENT_TOKEN_URI`, `CLAIMGATE_ALLOWED_ORIGINS` (comma list) and `CLAIMGATE_API_URL`; where they are not
 * set, `MISO_CONTROLLER_URL`, `MISO_CLIENTID` + `MISO_CLIENTSECRET`, `MISO_ALLOWED_ORIGINS`. Empty counts as not set.
 * `env` is the process's own where there is one; on Workers, give the bindings.
 *
 * @throws {TypeError} when issuer and credential would come from different families of variables, when both families
 *   are complete, and when a secret begins or ends with a blank or line end. The message names variables, no values.
 * @example
 * const client = createClaimClient(loadConfig())
 */
export function loadConfig(env: object = environment()): ClaimClientOptions {
  const read = (name: string): string | undefined => {
    const value: unknown = Reflect.get(env, name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const readSecret = (name: string): string | undefined => {
    const value = read(name)
    if (value !== value?.trim()) throw new TypeError(`${name}: begins or ends with a blank or a line end`)
    return value
  }
  // Pairs are taken whole: an id and a secret of different credentials would fit nobody.
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

/** Where a credential is sent, and the credential. */
interface Family {
  readonly issuer: string | undefined
  readonly credential: ClientCredential | undefined
}

/** The family that is set, ours first. Mixing is an error: a secret must not go to the other family's issuer. */
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
