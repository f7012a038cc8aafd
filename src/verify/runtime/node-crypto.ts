// Verification with Node's own crypto, where it is there: cheaper than WebCrypto, and HMAC without a turn of the event
// loop. Held to the same vectors as the WebCrypto path. Imports nothing of Node: it is asked for at run time.

import type { JWK } from 'jose'
import type { SignatureAlgorithm, VerifyToken } from '../../claims/jws.ts'
import type { MaybePromise } from '../../lib/result.ts'
import { pause } from '../revocation/pieces.ts'
import { isWorkers } from './platform.ts'

/** What is used of node:crypto. */
interface NodeCrypto {
  createPublicKey(options: { key: JWK; format: 'jwk' }): object
  createSecretKey(bytes: Uint8Array): object
  createHmac(hash: 'sha256', key: object): Hmac
  createVerify(hash: 'sha256'): Verify
  verify(hash: 'sha256' | null, input: Uint8Array, key: object, signature: Uint8Array): boolean
  verify(
    hash: 'sha256' | null,
    input: Uint8Array,
    key: object,
    signature: Uint8Array,
    done: (error: Error | null, isRight: boolean) => void,
  ): void
  timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean
}

interface Hmac {
  update(input: Uint8Array): Hmac
  update(input: string, encoding: 'latin1'): Hmac
  digest(): Uint8Array
}

interface Verify {
  update(input: string, encoding: 'latin1'): Verify
  verify(key: object, signature: Uint8Array): boolean
}

/** What is used of node:buffer. */
interface NodeBuffer {
  readonly Buffer: { from(text: string, encoding: 'latin1' | 'base64url'): Uint8Array }
}

interface Runtime {
  readonly process?: { getBuiltinModule?: (name: string) => unknown }
}

/** Inputs from this length, in characters, are revocation lists and are hashed in pieces; tokens are far shorter. */
const LONG_INPUT = 65_536
const HASHED_TOGETHER = 1_048_576

/** Loads keys at once on Node; undefined elsewhere. Throws on a key that is no good. */
export const loadNodeVerifier: ((jwk: JWK, alg: SignatureAlgorithm) => VerifyToken) | undefined = find()

function find(): typeof loadNodeVerifier {
  const { process } = globalThis as Runtime
  if (isWorkers || process?.getBuiltinModule === undefined) return undefined
  const crypto = process.getBuiltinModule('node:crypto') as NodeCrypto | undefined
  const buffer = process.getBuiltinModule('node:buffer') as NodeBuffer | undefined
  const os = process.getBuiltinModule('node:os') as { availableParallelism?: () => number } | undefined
  return crypto && buffer && createLoader(crypto, buffer, (os?.availableParallelism?.() ?? 1) > 1)
}

function createLoader(
  crypto: NodeCrypto,
  { Buffer }: NodeBuffer,
  hasSpareCore: boolean,
): NonNullable<typeof loadNodeVerifier> {
  // What takes tens of microseconds goes to Node's thread pool where there is a core for it.
  function verifyWith(
    hash: 'sha256' | null,
    input: Uint8Array,
    key: object,
    signature: Uint8Array,
  ): MaybePromise<boolean> {
    if (!hasSpareCore && input.length < LONG_INPUT) return crypto.verify(hash, input, key, signature)
    return new Promise((resolve) => {
      crypto.verify(hash, input, key, signature, (error, isRight) => resolve(error === null && isRight))
    })
  }

  /** Hashes in pieces. For the thread pool, Node would copy the whole input twice, synchronously. */
  async function hashLong<T extends { update(input: string, encoding: 'latin1'): unknown }>(
    hash: T,
    input: string,
  ): Promise<T> {
    for (let start = 0; start < input.length; start += HASHED_TOGETHER) {
      if (start > 0) await pause()
      hash.update(input.slice(start, start + HASHED_TOGETHER), 'latin1')
    }
    return hash
  }

  const toBytes = (input: string): Uint8Array => Buffer.from(input, 'latin1')
  const importPublic = (jwk: JWK): object => crypto.createPublicKey({ key: jwk, format: 'jwk' })
  const importShared = (jwk: JWK): object => crypto.createSecretKey(Buffer.from(jwk.k ?? '', 'base64url'))
  const algorithms = {
    ES256: {
      importKey: importPublic,
      length: 64,
      check: (input: string, key: object, signature: Uint8Array) =>
        verifyWith('sha256', toBytes(input), key, rawToDer(signature)),
      checkLong: async (input: string, key: object, signature: Uint8Array) =>
        (await hashLong(crypto.createVerify('sha256'), input)).verify(key, rawToDer(signature)),
    },
    EdDSA: {
      importKey: importPublic,
      length: 64,
      check: (input: string, key: object, signature: Uint8Array) =>
        verifyWith(null, toBytes(input), key, signature),
      // Ed25519 reads its input twice, so it cannot be hashed in pieces.
      checkLong: (input: string, key: object, signature: Uint8Array) =>
        verifyWith(null, toBytes(input), key, signature),
    },
    HS256: {
      importKey: importShared,
      length: 32,
      check: (input: string, key: object, signature: Uint8Array) =>
        crypto.timingSafeEqual(crypto.createHmac('sha256', key).update(toBytes(input)).digest(), signature),
      checkLong: async (input: string, key: object, signature: Uint8Array) => {
        const hash = await hashLong(crypto.createHmac('sha256', key), input)
        return crypto.timingSafeEqual(hash.digest(), signature)
      },
    },
  } as const

  return (jwk, alg) => {
    const { importKey, length, check, checkLong } = algorithms[alg]
    const key = importKey(jwk)
    return (token) => {
      const dot = token.lastIndexOf('.')
      const signature = Buffer.from(token.slice(dot + 1), 'base64url')
      if (signature.length !== length) return false
      return (dot < LONG_INPUT ? check : checkLong)(token.slice(0, dot), key, signature)
    }
  }
}

/** `r || s` (RFC 7518 section 3.4) to DER (RFC 3279 section 2.2.3): cheaper than asking OpenSSL to convert. */
function rawToDer(raw: Uint8Array): Uint8Array {
  const der = new Uint8Array(72)
  let end = putInteger(der, 2, raw, 0)
  end = putInteger(der, end, raw, 32)
  der[0] = 0x30
  der[1] = end - 2
  return der.subarray(0, end)
}

/** Writes 32 bytes of `raw` as a DER integer: without leading zeros, with one where its first bit is set. */
function putInteger(der: Uint8Array, at: number, raw: Uint8Array, from: number): number {
  let start = from
  while (start < from + 31 && raw[start] === 0) start += 1
  const pad = (raw[start] as number) >= 0x80 ? 1 : 0
  const length = from + 32 - start
  der[at] = 0x02
  der[at + 1] = pad + length
  der.set(raw.subarray(start, from + 32), at + 2 + pad)
  return at + 2 + pad + length
}
