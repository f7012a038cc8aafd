// The key of this browser for proofs of possession (RFC 9449): P-256, not extractable, so that no script can read its
// private part. IndexedDB stores it for all tabs of this origin and for later visits; where that fails or takes too long,
// the key lasts as long as the page.

import { DataClientError } from './error.ts'
import { sleep } from './renewal.ts'

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
/** The longest wait for IndexedDB, milliseconds. A request can stay open without end: behind another tab, or by a fault of the browser. */
const STORE_MS = 2000

/** Loads the key of this origin, or makes one. Rejects with `unsupported` outside of secure contexts. */
export async function loadKey(): Promise<DpopKey> {
  if (!globalThis.crypto?.subtle) {
    throw new DataClientError('dpop needs https or localhost', { code: 'unsupported' })
  }
  const kept = await Promise.race([keepKey().catch(() => undefined), sleep(STORE_MS)])
  return createKey(kept ?? (await makePair()))
}

async function createKey({ privateKey, publicKey }: CryptoKeyPair): Promise<DpopKey> {
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  // The order of the members counts, because the thumbprint is the hash of this text (RFC 7638 section 3.2).
  const jwk = { crv, kty, x, y }
  const header = encodeJson({ typ: 'dpop+jwt', alg: 'ES256', jwk })
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
      const text = `${header}.${encodeJson(claims)}`
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
    const known: unknown = await settle(open().get(NAME))
    if (isUsable(known)) return known
    const made = await makePair()
    const store = open()
    const other: unknown = await settle(store.get(NAME))
    if (isUsable(other)) return other
    await settle(store.put(made, NAME))
    return made
  } finally {
    database.close()
  }
}

/** Whether a stored value is a pair as `makePair` makes it. Anything on this origin could have stored another one. */
function isUsable(stored: unknown): stored is CryptoKeyPair {
  const { privateKey, publicKey } = (stored ?? {}) as Partial<CryptoKeyPair>
  const isSigner = privateKey?.usages?.[0] === 'sign' && !privateKey.extractable && isOurCurve(privateKey)
  return isSigner && publicKey?.type === 'public' && isOurCurve(publicKey)
}

function isOurCurve({ algorithm }: CryptoKey): boolean {
  return (algorithm as { readonly namedCurve?: string } | undefined)?.namedCurve === 'P-256'
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

function encodeJson(value: object): string {
  return encode(toBytes(JSON.stringify(value)))
}

async function hash(text: string): Promise<string> {
  return encode(await crypto.subtle.digest('SHA-256', toBytes(text)))
}

/** Bytes as base64url without padding (RFC 4648 section 5). */
function encode(data: ArrayBuffer | Uint8Array): string {
  return btoa(String.fromCharCode(...new Uint8Array(data)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
