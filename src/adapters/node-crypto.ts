// Node's synchronous crypto behind the CryptoEngine port: no hop to another thread for a few microseconds' work.
// JWS wants ECDSA signatures as r || s (RFC 7518 section 3.4); converting DER is cheaper than asking OpenSSL to.

import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import type { JWK } from 'jose'
import type { SignatureAlgorithm } from '../claims/jws.ts'
import { type CryptoEngine, TOKEN_TYPE } from '../signing/engine.ts'

interface NodeAlgorithm {
  readonly importPrivate: (jwk: JWK) => KeyObject
  readonly importPublic: (jwk: JWK) => KeyObject
  readonly sign: (input: Buffer, key: KeyObject) => Buffer
  readonly verify: (input: Buffer, key: KeyObject, signature: Buffer) => boolean
}

const algorithms: Readonly<Record<SignatureAlgorithm, NodeAlgorithm>> = {
  ES256: {
    importPrivate: (jwk) => createPrivateKey({ key: jwk, format: 'jwk' }),
    importPublic: (jwk) => createPublicKey({ key: jwk, format: 'jwk' }),
    sign: (input, key) => derToRaw(sign('sha256', input, key)),
    verify: (input, key, signature) =>
      signature.length === 64 && verify('sha256', input, key, rawToDer(signature)),
  },
  EdDSA: {
    importPrivate: (jwk) => createPrivateKey({ key: jwk, format: 'jwk' }),
    importPublic: (jwk) => createPublicKey({ key: jwk, format: 'jwk' }),
    sign: (input, key) => sign(null, input, key),
    verify: (input, key, signature) => signature.length === 64 && verify(null, input, key, signature),
  },
  HS256: {
    importPrivate: importShared,
    importPublic: importShared,
    sign: (input, key) => createHmac('sha256', key).update(input).digest(),
    verify: (input, key, signature) =>
      signature.length === 32 && timingSafeEqual(createHmac('sha256', key).update(input).digest(), signature),
  },
}

function importShared(jwk: JWK): KeyObject {
  return createSecretKey(Buffer.from(jwk.k ?? '', 'base64url'))
}

/** node:crypto, synchronous. */
export const nodeCryptoEngine: CryptoEngine = {
  async loadSigner(jwk, alg, kid) {
    const algorithm = algorithms[alg]
    const key = algorithm.importPrivate(jwk)
    const header = `${Buffer.from(JSON.stringify({ alg, kid, typ: TOKEN_TYPE })).toString('base64url')}.`
    return (payload) => {
      const input = header + Buffer.from(payload).toString('base64url')
      return `${input}.${algorithm.sign(Buffer.from(input, 'latin1'), key).toString('base64url')}`
    }
  },

  async loadVerifier(jwk, alg) {
    const algorithm = algorithms[alg]
    const key = algorithm.importPublic(jwk)
    return (token) => {
      const dot = token.lastIndexOf('.')
      const input = Buffer.from(token.slice(0, dot), 'latin1')
      return algorithm.verify(input, key, Buffer.from(token.slice(dot + 1), 'base64url'))
    }
  },

  createSecretHash(pepper) {
    const key = createSecretKey(Buffer.from(pepper))
    return (secret) => createHmac('sha256', key).update(secret).digest('base64url')
  },
}

/** DER `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279 section 2.2.3) to 64 bytes. OpenSSL made it: the form is known. */
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

/** 64 bytes to DER: each integer without leading zeros, with one where its first bit is set. */
function rawToDer(raw: Buffer): Buffer {
  const r = toDerInteger(raw.subarray(0, 32))
  const s = toDerInteger(raw.subarray(32))
  return Buffer.concat([Buffer.from([0x30, r.length + s.length]), r, s])
}

function toDerInteger(half: Buffer): Buffer {
  let start = 0
  while (start < 31 && half[start] === 0) start += 1
  const digits = half.subarray(start)
  const pad = (digits[0] as number) >= 0x80 ? 1 : 0
  const integer = Buffer.alloc(2 + pad + digits.length)
  integer[0] = 0x02
  integer[1] = pad + digits.length
  digits.copy(integer, 2 + pad)
  return integer
}
