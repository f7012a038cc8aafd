// Verification and hashing with node:crypto: faster than Web Crypto, and synchronous for SHA-256 and for tokens with HMAC.
// The module is looked up at run time instead of imported, so that this file loads on every runtime. Tests run the same
// vectors with node:crypto and with Web Crypto.

import type { JWK } from 'jose'
import type { SignatureAlgorithm, VerifyToken } from '../../claims/jws.ts'
import type { MaybePromise } from '../../lib/result.ts'
import { sleep } from '../../lib/timing.ts'
import { isWorkers } from './platform.ts'

/** The part of node:crypto that is used here. */
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
  /** Missing in some runtimes that have the rest. */
  readonly hash?: (algorithm: 'sha256', text: string, encoding: 'base64url') => string
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

/** The part of node:buffer that is used here. */
interface NodeBuffer {
  readonly Buffer: { from(text: string, encoding: 'latin1' | 'base64url'): Uint8Array }
}

interface Runtime {
  readonly process?: { getBuiltinModule?: (name: string) => unknown }
}

/** Inputs of at least this many characters are lists of revocations. They are hashed in slices, except for Ed25519. */
const LONG_INPUT = 65_536
/** Characters that are hashed before the event loop runs other work. */
const SLICE_LENGTH = 1_048_576

const crypto = findModule('node:crypto') as NodeCrypto | undefined

/** Loads a key synchronously; undefined on runtimes without node:crypto. Throws if the key cannot be imported. */
export const loadNodeVerifier: ((jwk: JWK, alg: SignatureAlgorithm) => VerifyToken) | undefined = findLoader()

/** SHA-256 of a text in UTF-8, as base64url; undefined on runtimes without `crypto.hash`. */
export const hashNodeText: ((text: string) => string) | undefined = findHash()

function findModule(name: string): unknown {
  const { process } = globalThis as Runtime
  return isWorkers ? undefined : process?.getBuiltinModule?.(name)
}

function findLoader(): typeof loadNodeVerifier {
  const buffer = findModule('node:buffer') as NodeBuffer | undefined
  const os = findModule('node:os') as { availableParallelism?: () => number } | undefined
  return crypto && buffer && createLoader(crypto, buffer, (os?.availableParallelism?.() ?? 1) > 1)
}

function findHash(): typeof hashNodeText {
  const hash = crypto?.hash
  return hash && ((text) => hash('sha256', text, 'base64url'))
}

function createLoader(
  crypto: NodeCrypto,
  { Buffer }: NodeBuffer,
  hasSpareCore: boolean,
): NonNullable<typeof loadNodeVerifier> {
  // Verifying takes tens of microseconds or more, so the thread pool does it if there is a second core or a long input.
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

  /** Hashes in slices, because Node would copy the whole input twice, synchronously, before the thread pool gets it. */
  async function hashLong<T extends { update(input: string, encoding: 'latin1'): unknown }>(
    hash: T,
    input: string,
  ): Promise<T> {
    for (let start = 0; start < input.length; start += SLICE_LENGTH) {
      if (start > 0) await sleep(0)
      hash.update(input.slice(start, start + SLICE_LENGTH), 'latin1')
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
      // Ed25519 reads its input twice, so it cannot be hashed in slices.
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

/** Converts `r || s` (RFC 7518 section 3.4) to DER (RFC 3279 section 2.2.3), faster than `dsaEncoding` does. */
function rawToDer(raw: Uint8Array): Uint8Array {
  const der = new Uint8Array(72)
  let end = putInteger(der, 2, raw, 0)
  end = putInteger(der, end, raw, 32)
  der[0] = 0x30
  der[1] = end - 2
  return der.subarray(0, end)
}

/** Writes 32 bytes of `raw` to `der` as an integer: no leading zeros, except one before a set first bit. Returns its end. */
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
