// The key of this browser for proofs of possession (RFC 9449): P-256, not extractable, so that no script can read its
// private part. IndexedDB stores it for all tabs of this origin and for later visits; where that fails, the key lasts as
// long as the page.

import { DataClientError } from './error.ts'

/** The request that a proof is for. */
export interface ProofTarget {
  readonly method: string
  readonly url: string
  readonly token: string
  /** Epoch seconds by the issuer's clock; fractions are dropped. */
  readonly iat: number
}

/** A key that tokens can be bound to. */
export interface DpopKey {
  /** Thumbprint of the public key (RFC 7638): 43 characters, base64url. */
  readonly jkt: string
  /** A new proof for one request, with an id of its own. */
  prove(target: ProofTarget): Promise<string>
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' }
const STORE = 'keys'
const NAME = 'dpop'

/** Loads the key of this origin, or makes one. Rejects with `unsupported` outside of secure contexts. */
export async function loadKey(): Promise<DpopKey> {
  if (globalThis.crypto?.subtle === undefined) {
    throw new DataClientError('dpop needs a secure context (https or localhost)', { code: 'unsupported' })
  }
  return createKey(await keepKey().catch(makePair))
}

async function createKey({ privateKey, publicKey }: CryptoKeyPair): Promise<DpopKey> {
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  // The order of the members counts, because the thumbprint is the hash of this text (RFC 7638 section 3.2).
  const jwk = { crv, kty, x, y }
  const header = encode(JSON.stringify({ typ: 'dpop+jwt', alg: 'ES256', jwk }))
  return {
    jkt: await hash(JSON.stringify(jwk)),
    async prove({ method, url, token, iat }) {
      const { origin, pathname } = new URL(url)
      const claims = {
        jti: crypto.randomUUID(),
        htm: method,
        htu: origin + pathname,
        iat: Math.floor(iat),
        ath: await hash(token),
      }
      const text = `${header}.${encode(JSON.stringify(claims))}`
      const signing = { name: 'ECDSA', hash: 'SHA-256' }
      return `${text}.${encode(await crypto.subtle.sign(signing, privateKey, toBytes(text)))}`
    },
  }
}

function makePair(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, false, ['sign']) as Promise<CryptoKeyPair>
}

/** Loads the stored key, or makes and stores one. When two tabs make one together, both use the key that is stored first. */
async function keepKey(): Promise<CryptoKeyPair> {
  const opening = indexedDB.open('claimgate', 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
  const database = await settle(opening)
  try {
    const open = (): IDBObjectStore => database.transaction(STORE, 'readwrite').objectStore(STORE)
    const known: CryptoKeyPair | undefined = await settle(open().get(NAME))
    if (known) return known
    const made = await makePair()
    const store = open()
    const other: CryptoKeyPair | undefined = await settle(store.get(NAME))
    if (other) return other
    await settle(store.put(made, NAME))
    return made
  } finally {
    database.close()
  }
}

function settle<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

function toBytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

async function hash(text: string): Promise<string> {
  return encode(await crypto.subtle.digest('SHA-256', toBytes(text)))
}

/** Base64url without padding, of bytes or of a text as UTF-8. */
function encode(data: string | ArrayBuffer): string {
  const bytes = typeof data === 'string' ? toBytes(data) : new Uint8Array(data)
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
