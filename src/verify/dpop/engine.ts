// What judging proofs asks of the runtime: signatures and SHA-256, at once on Node, by WebCrypto everywhere.

import { base64url, compactVerify, importJWK } from 'jose'
import type { MaybePromise } from '../../lib/result.ts'
import type { LoadVerifier } from '../runtime/load-key.ts'
import { loadNodeVerifier } from '../runtime/node-crypto.ts'
import { isWorkers } from '../runtime/platform.ts'

/** The cryptography of one runtime. */
export interface ProofEngine {
  readonly loadVerifier: LoadVerifier
  /** SHA-256 of a text in UTF-8, as base64url. */
  readonly digest: (text: string) => MaybePromise<string>
}

/** What is used of node:crypto; `hash` is not there in every runtime that has the module. */
interface NodeCrypto {
  readonly hash?: (algorithm: 'sha256', text: string, encoding: 'base64url') => string
}

interface Runtime {
  readonly process?: { getBuiltinModule?: (name: string) => unknown }
}

const utf8 = new TextEncoder()
/** A header's `alg` was held against its key before; RFC 9864 gives EdDSA with Ed25519 a second name. */
const ANY = { algorithms: ['ES256', 'EdDSA', 'Ed25519'] }

/** By jose and WebCrypto, on any runtime. */
export const webProofEngine: ProofEngine = {
  async loadVerifier(jwk, alg) {
    const key = await importJWK(jwk, alg)
    return async (proof) => {
      try {
        await compactVerify(proof, key, ANY)
        return true
      } catch {
        return false
      }
    }
  },
  digest: async (text) =>
    base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(text)))),
}

/** The quickest way of this runtime. */
export const proofEngine: ProofEngine = {
  loadVerifier: loadNodeVerifier ?? webProofEngine.loadVerifier,
  digest: findNodeDigest() ?? webProofEngine.digest,
}

function findNodeDigest(): ProofEngine['digest'] | undefined {
  if (isWorkers) return undefined
  const { process } = globalThis as Runtime
  const hash = (process?.getBuiltinModule?.('node:crypto') as NodeCrypto | undefined)?.hash
  return hash && ((text) => hash('sha256', text, 'base64url'))
}
