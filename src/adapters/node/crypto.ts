// Signing with node:crypto. Asymmetric signatures of tokens (tens of microseconds) run in Node's thread pool if there is a
// second core; an HMAC (3 microseconds) runs synchronously. Verification is in verify/runtime/node-crypto.ts.
// JWS needs ECDSA signatures as r || s (RFC 7518 section 3.4). Node can make them (`dsaEncoding`), but converting its
// DER signatures here is faster.

import { createHmac, createPrivateKey, createSecretKey, createSign, type KeyObject, sign } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import type { JWK } from 'jose'
import type { SignatureAlgorithm } from '../../claims/jws.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import { type CryptoEngine, TOKEN_TYPE } from '../../signing/engine.ts'

interface NodeAlgorithm {
  readonly importKey: (jwk: JWK) => KeyObject
  readonly sign: (input: Buffer, key: KeyObject) => MaybePromise<Buffer>
  /** Signs an input of many megabytes. */
  readonly signLong: (input: Uint8Array, key: KeyObject) => Promise<Buffer>
}

/** Bytes that are hashed before other work of the event loop may run: less than a millisecond of work. */
const PIECE_BYTES = 524_288

const algorithms: Readonly<Record<SignatureAlgorithm, NodeAlgorithm>> = {
  ES256: {
    importKey: importPrivate,
    sign: (input, key) => after(signWith('sha256', input, key), derToRaw),
    // Not in the thread pool, because Node would first copy the whole input synchronously.
    signLong: async (input, key) => derToRaw((await hashInPieces(createSign('sha256'), input)).sign(key)),
  },
  EdDSA: {
    importKey: importPrivate,
    sign: (input, key) => signWith(null, input, key),
    // Ed25519 reads its input twice, so the input cannot be hashed in pieces.
    signLong: async (input, key) => signWith(null, input, key),
  },
  HS256: {
    importKey: (jwk) => createSecretKey(Buffer.from(jwk.k ?? '', 'base64url')),
    sign: (input, key) => createHmac('sha256', key).update(input).digest(),
    signLong: async (input, key) => (await hashInPieces(createHmac('sha256', key), input)).digest(),
  },
}

function importPrivate(jwk: JWK): KeyObject {
  return createPrivateKey({ key: jwk, format: 'jwk' })
}

const hasSpareCore = availableParallelism() > 1

async function hashInPieces<T extends { update(piece: Uint8Array): unknown }>(
  hash: T,
  input: Uint8Array,
): Promise<T> {
  for (let start = 0; start < input.length; start += PIECE_BYTES) {
    if (start > 0) await setImmediate()
    hash.update(input.subarray(start, start + PIECE_BYTES))
  }
  return hash
}

function signWith(hash: 'sha256' | null, input: Uint8Array, key: KeyObject): MaybePromise<Buffer> {
  if (!hasSpareCore) return sign(hash, input, key)
  return new Promise((resolve, reject) => {
    sign(hash, input, key, (error, signature) => (error === null ? resolve(signature) : reject(error)))
  })
}

/** The crypto engine of Node. Its tokens and hashes are interchangeable with those of `webCryptoEngine`. */
export const nodeCryptoEngine: CryptoEngine = {
  async loadSigner(jwk, alg, kid) {
    const algorithm = algorithms[alg]
    const key = algorithm.importKey(jwk)
    const header = `${Buffer.from(JSON.stringify({ alg, kid, typ: TOKEN_TYPE })).toString('base64url')}.`
    return (payload) => {
      const input = header + Buffer.from(payload).toString('base64url')
      const signature = algorithm.sign(Buffer.from(input, 'latin1'), key)
      return after(signature, (bytes) => `${input}.${bytes.toString('base64url')}`)
    }
  },

  async loadLongSigner(jwk, alg) {
    const { importKey, signLong } = algorithms[alg]
    const key = importKey(jwk)
    return async (input) => (await signLong(input, key)).toString('base64url')
  },

  createSecretHash(pepper) {
    const key = createSecretKey(Buffer.from(pepper))
    return (secret) => createHmac('sha256', key).update(secret).digest('base64url')
  },
}

/** DER `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279 section 2.2.3) to 64 bytes. Not validated: OpenSSL made it. */
function derToRaw(der: Buffer): Buffer {
  const raw = Buffer.alloc(64)
  const rLength = der[3] as number
  copyInteger(der, 4, rLength, raw, 0)
  copyInteger(der, 6 + rLength, der[5 + rLength] as number, raw, 32)
  return raw
}

function copyInteger(der: Buffer, start: number, length: number, raw: Buffer, offset: number): void {
  const skip = Math.max(0, length - 32)
  der.copy(raw, offset + 32 - (length - skip), start + skip, start + length)
}
