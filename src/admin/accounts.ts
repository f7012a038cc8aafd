// Making accounts: from checked input to records, for the admin API and the command line alike.

import type { Account, AuditEntry, Credential } from '../claims/account.ts'
import { randomBase62 } from '../signing/random.ts'
import {
  type ClientSecret,
  createAccountId,
  createClientSecret,
  formatAccountToken,
  type HashSecret,
} from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import type { AccountInput } from './parse.ts'

/** A new account, and its first secret: the only time it is shown. */
export interface CreatedAccount {
  readonly account: Account
  readonly credential: ShownCredential
}

/** A secret in both its spellings. */
export interface ShownCredential extends ClientSecret {
  readonly id: string
  /** Account token. */
  readonly token: string
}

/** Who makes changes, for the audit log. */
export type Actor = 'admin' | 'cli'

/** Creates accounts; `now` is epoch milliseconds. Resolves once the records are safe. */
export type CreateAccount = (input: AccountInput, actor: Actor, now: number) => Promise<CreatedAccount>

/** Creation in this store. */
export function createCreateAccount(storage: Storage, hashSecret: HashSecret): CreateAccount {
  return async (input, actor, now) => {
    const account: Account = {
      id: createAccountId(),
      name: input.name,
      status: 'active',
      allowedOrigins: input.allowedOrigins,
      scopes: input.scopes,
      maxTtl: input.maxTtl,
      browserPrototype: input.browserPrototype,
      createdAt: now,
      updatedAt: now,
    }
    const pair = createClientSecret()
    const credential = firstCredential(account, pair.clientId, await hashSecret(pair.clientSecret))
    const audit: AuditEntry = {
      id: randomBase62(16),
      at: now,
      actor,
      action: 'account.create',
      target: account.id,
      detail: { name: account.name, credential: credential.id },
    }
    await storage.createAccount(account, credential, audit)
    return { account, credential: { id: pair.clientId, token: formatAccountToken(pair), ...pair } }
  }
}

function firstCredential(account: Account, id: string, secretHash: string): Credential {
  return {
    id,
    accountId: account.id,
    name: 'default',
    scopes: null,
    browserPrototype: account.browserPrototype,
    allowLocalhost: true,
    secretHash,
    previousHash: null,
    previousExpiresAt: null,
    jwks: null,
    expiresAt: null,
    revokedAt: null,
    createdAt: account.createdAt,
    lastUsedAt: null,
  }
}
