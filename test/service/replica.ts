// Replicas of the service for tests of the list of revocations: real signing keys that can be rotated, a store that can
// fail, and remote verifiers that poll.

import { expect } from 'vitest'
import { nodeCryptoEngine } from '../../src/adapters/node/crypto.ts'
import { createMetrics } from '../../src/http/metrics.ts'
import { publicCors } from '../../src/http/public-cors.ts'
import { createServe } from '../../src/http/serve.ts'
import { createRevocationsHandler, type DocumentDeps } from '../../src/service/revocation/document.ts'
import { createRevocationRules, type RevocationRules } from '../../src/service/revocation/rules.ts'
import { createKeyLife } from '../../src/signing/key-life.ts'
import { type KeyRing, openKeyRing } from '../../src/signing/key-ring.ts'
import type { StoredSigningKey } from '../../src/signing/signing-key.ts'
import type { KeySource } from '../../src/verify/keys/source.ts'
import { loadVerifier } from '../../src/verify/runtime/load-key.ts'
import { createMemoryKeys } from '../support/memory-keys.ts'
import { RULES } from '../support/mint.ts'
import { createRuleStore, HOUR, keepLog, type RuleStore } from '../support/service-parts.ts'

/** One process of the service: its list of revocations, its rules in memory, and the store that they come from. */
export interface Replica extends RuleStore {
  /** Requests the list. Default method GET. */
  ask(headers?: Readonly<Record<string, string>>, method?: string): Promise<Response>
  /** Requests the list, expects status 200, and gives the body. */
  read(): Promise<string>
  readonly isListed: RevocationRules['isListed']
  readonly refresh: RevocationRules['refresh']
}

/** Creates a replica of the service with these signing keys and this store. */
export function createReplica(keyRing: DocumentDeps['keyRing'], store = createRuleStore()): Replica {
  const { log } = keepLog()
  const rules = createRevocationRules({
    storage: store.storage,
    log,
    now: Date.now,
    sharesWork: true,
  })
  const serve = createServe({
    docs: 'https://auth.example.com/docs',
    trustedProxies: { kind: 'none' },
    forwardedHeader: 'x-forwarded-for',
    now: Date.now,
    log,
    metrics: createMetrics(),
    logsRequests: false,
  })
  const handler = createRevocationsHandler({
    issuer: RULES.issuer,
    rules,
    keyRing,
    now: Date.now,
    sharesWork: true,
  })
  const route = { name: 'revocations', cors: publicCors, methods: { GET: handler } }
  const ask: Replica['ask'] = (headers = {}, method = 'GET') =>
    serve(route, new Request(`${RULES.issuer}/.well-known/revocations`, { method, headers }), '127.0.0.1')
  return {
    ...store,
    ask,
    async read() {
      const answer = await ask()
      expect(answer.status).toBe(200)
      return answer.text()
    },
    isListed: rules.isListed,
    refresh: rules.refresh,
  }
}

/** Signing keys of the real key ring, which a test can rotate and end. */
export interface Keys {
  readonly ring: KeyRing
  readonly source: KeySource
  /** Number of lists signed so far. */
  signed(): number
  /** The key that signs now. */
  current(): StoredSigningKey['jwk']
  rotate(): Promise<void>
  end(kid: string): Promise<void>
}

/** Creates a key ring with a current and a pending key. `signed` counts the lists that it signs. */
export async function createKeys(alg: 'ES256' | 'EdDSA' | 'HS256' = 'ES256'): Promise<Keys> {
  const { store, keys } = createMemoryKeys()
  const life = createKeyLife(store, { alg, rotationMs: null, publishMs: 0, lifetimeMs: HOUR })
  await life.open(Date.now())
  let signed = 0
  const engine: typeof nodeCryptoEngine = {
    ...nodeCryptoEngine,
    async loadLongSigner(...loaded) {
      const sign = await nodeCryptoEngine.loadLongSigner(...loaded)
      return (input) => {
        signed += 1
        return sign(input)
      }
    },
  }
  const ring = await openKeyRing(store, { ...engine, loadVerifier }, alg, () => false)
  return {
    ring,
    signed: () => signed,
    current: () => keys().find(({ kid }) => kid === ring.kid)?.jwk ?? expect.unreachable('a key signs'),
    source: { get: ring.find },
    async rotate() {
      expect((await life.rotate(Date.now(), { force: true })).ok).toBe(true)
      await ring.refresh()
    },
    async end(kid: string) {
      expect(await life.end(kid, Date.now())).toBe(true)
      await ring.refresh()
    },
  }
}
