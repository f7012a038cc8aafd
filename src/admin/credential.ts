// Making, rotating and revoking credentials. A secret is given out only once the record that accepts it is safe.

import { type Credential, endForGood } from '../claims/account.ts'
import { invalidParameters, type Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { createClientSecret, createSecret } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import { type ShownCredential, showCredential, UNKNOWN_ACCOUNT } from './account.ts'
import type { CredentialInput, RotationInput } from './credential-input.ts'
import { type Actor, type AdminPorts, conflict, createAuditEntry } from './operation.ts'
import { settleChange } from './settle.ts'

/** A new credential: its secret, shown this once; without one where keys were registered. */
export type CreatedCredential = ShownCredential | Pick<ShownCredential, 'id' | 'clientId'>

/** A new secret of a credential, shown this once. */
export interface RotatedCredential extends ShownCredential {
  /** Until when both secrets work, epoch milliseconds; the time of the rotation when the old one has ended. */
  readonly previousExpiresAt: number
}

const UNKNOWN_CREDENTIAL: Problem = { code: 'not_found', detail: 'there is no credential with this id' }

/** Adds a credential to an account. `not_found`; 422 where it would hold a scope that the account does not. */
export async function createCredential(
  { storage, hashSecret }: Pick<AdminPorts, 'storage' | 'hashSecret'>,
  accountId: string,
  input: CredentialInput,
  actor: Actor,
  now: number,
): Promise<Result<CreatedCredential, Problem>> {
  const account = await storage.getAccount(accountId)
  if (account === undefined) return fail(UNKNOWN_ACCOUNT)
  if (input.scopes?.some((scope) => !account.scopes.includes(scope))) {
    const message = 'must be among the scopes of the account'
    return fail(invalidParameters([{ parameter: 'scopes', message }]))
  }
  const pair = createClientSecret()
  const credential: Credential = {
    ...input,
    id: pair.clientId,
    accountId,
    secretHash: input.jwks === null ? await hashSecret(pair.clientSecret) : null,
    previousHash: null,
    previousExpiresAt: null,
    revokedAt: null,
    createdAt: now,
    lastUsedAt: null,
  }
  const audit = createAuditEntry(actor, 'credential.create', credential.id, now, { account: accountId })
  if (!(await storage.createCredential(credential, audit))) return fail(UNKNOWN_ACCOUNT)
  return ok(input.jwks === null ? showCredential(pair) : { id: pair.clientId, clientId: pair.clientId })
}

/**
 * Gives a credential another secret; the one before works for `overlap` seconds more, any older one ends. `not_found`;
 * `conflict` where there is no secret, where it would not work, and where another rotation was faster.
 */
export async function rotateCredential(
  ports: Pick<AdminPorts, 'storage' | 'hashSecret' | 'onChange' | 'settleMs'>,
  id: string,
  { overlap }: RotationInput,
  actor: Actor,
  now: number,
): Promise<Result<RotatedCredential, Problem>> {
  const { storage, hashSecret } = ports
  const credential = await readCredential(storage, id)
  if (credential === undefined) return fail(UNKNOWN_CREDENTIAL)
  const { accountId, previousExpiresAt: runningUntil, expiresAt, revokedAt, secretHash } = credential
  if (revokedAt !== null) return fail(conflict('this credential is revoked; make another one'))
  if (secretHash === null) {
    return fail(conflict('this credential has registered keys and no secret; make another one'))
  }
  if (expiresAt !== null && expiresAt <= now) {
    return fail(conflict('this credential has expired, and so would its new secret; make another one'))
  }
  const pair = { clientId: id, clientSecret: createSecret() }
  const previousExpiresAt = now + overlap * 1000
  const change = {
    secretHash: await hashSecret(pair.clientSecret),
    previousHash: overlap === 0 ? null : secretHash,
    previousExpiresAt: overlap === 0 ? null : previousExpiresAt,
  }
  const audit = createAuditEntry(actor, 'credential.rotate', id, now, { account: accountId, overlap })
  if (!(await storage.replaceSecret(id, change, secretHash, audit))) {
    return fail(conflict('this credential was changed at the same moment; look at it and try again'))
  }
  // Without an overlap the secret ends now; with one, the secret before it does.
  if (overlap === 0 || (runningUntil ?? 0) > now) await settleChange(ports)
  else await ports.onChange()
  return ok({ ...showCredential(pair), previousExpiresAt })
}

/** Revokes a credential permanently, and with it the tokens that it was issued. `not_found`, also the second time. */
export async function revokeCredential(
  ports: Pick<AdminPorts, 'storage' | 'lifetimeSeconds' | 'onChange' | 'settleMs'>,
  id: string,
  actor: Actor,
  now: number,
): Promise<Result<void, Problem>> {
  const audit = createAuditEntry(actor, 'credential.revoke', id, now)
  const rule = endForGood('client_id', id, now, ports.lifetimeSeconds * 1000)
  const revocation = { ...rule, id: `credential_${id}`, createdAt: now }
  if (!(await ports.storage.revokeCredential(id, now, revocation, audit))) return fail(UNKNOWN_CREDENTIAL)
  await settleChange(ports)
  return ok(undefined)
}

/** The credential as it is now: the look-up by id may remember for a moment, whose account it is never changes. */
async function readCredential(storage: Storage, id: string): Promise<Credential | undefined> {
  const found = await storage.findCredential(id)
  if (found === undefined) return undefined
  const all = await storage.listCredentials(found.account.id)
  return all.find((credential) => credential.id === id)
}
