// Credentials: input, creation, rotation, revocation, and the paths of the admin API. A secret is returned only after
// the record that accepts it is committed.

import * as z from 'zod'
import type { Account, Credential } from '../claims/records/account.ts'
import { endForGood } from '../claims/records/revocation.ts'
import { invalidParameters, type ParameterFault, type Problem } from '../http/problem.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { formatTime } from '../lib/time.ts'
import { type ClientSecret, createClientSecret, createSecret, formatAccountToken } from '../signing/secret.ts'
import type { Storage } from '../storage/storage.ts'
import { type Actor, createAuditEntry } from './audit.ts'
import { clientKeys } from './client-keys.ts'
import { flag, instant, name, parseInput, scopes } from './input.ts'
import { type AdminPaths, answerJson, readInput } from './json-api.ts'
import { type AdminPorts, conflict, UNKNOWN_ACCOUNT } from './operation.ts'
import { settleChange } from './settle.ts'

/** The members of a new credential, in canonical form. With `jwks` the credential gets no secret. */
export type CredentialInput = Pick<
  Credential,
  'name' | 'scopes' | 'expiresAt' | 'browserPrototype' | 'allowLocalhost' | 'jwks'
>

/** Options of a rotation, which gives a credential a new secret. */
export interface RotationInput {
  /** How long the old secret still works, seconds. */
  readonly overlap: number
}

/** A secret in both spellings: account token, and client id with client secret. */
export interface ShownCredential extends ClientSecret {
  readonly id: string
  /** The account token: id, secret and checksum in one text. */
  readonly token: string
}

/** A new credential. Its secret is shown this once; a credential with registered keys has none. */
export type CreatedCredential = ShownCredential | Pick<ShownCredential, 'id' | 'clientId'>

/** The new secret of a credential. It is shown this once. */
export interface RotatedCredential extends ShownCredential {
  /** Until when both secrets work, epoch milliseconds. Without an overlap: the time of the rotation. */
  readonly previousExpiresAt: number
}

/** A credential as JSON, its times in ISO 8601. Holds no secret, hash or key. */
export interface WireCredential {
  readonly id: string
  readonly name: string
  readonly status: 'active' | 'expired' | 'revoked'
  readonly scopes: readonly string[]
  readonly browserPrototype: boolean
  readonly allowLocalhost: boolean
  readonly createdAt: string
  readonly lastUsedAt: string | null
  readonly expiresAt: string | null
  readonly previousExpiresAt: string | null
}

/** The new secret of a credential as JSON, its time in ISO 8601. */
export type WireRotation = ShownCredential & { readonly previousExpiresAt: string }

const DEFAULT_OVERLAP_SECONDS = 86_400
const MAX_OVERLAP_SECONDS = 2_592_000
const OVERLAP = `must be a whole number of seconds from 0 to ${MAX_OVERLAP_SECONDS}`

const UNKNOWN_CREDENTIAL: Problem = { code: 'not_found', detail: 'there is no credential with this id' }

/**
 * Checks the JSON of a new credential. `now` is epoch milliseconds. Does not compare its scopes with those of the
 * account: `createCredential` does.
 */
export function parseCredentialInput(
  value: unknown,
  now: number,
): Result<CredentialInput, readonly ParameterFault[]> {
  const schema = z.strictObject({
    name: name.default('credential'),
    scopes: scopes.optional().transform((given) => given ?? null),
    expiresAt: instant
      .refine((at) => at > now, 'must be in the future')
      .nullable()
      .default(null),
    browserPrototype: flag.default(false),
    allowLocalhost: flag.default(true),
    jwks: clientKeys.optional().transform((given) => given ?? null),
  })
  return parseInput(schema, value)
}

/** Checks the JSON of a rotation. The overlap is 86 400 seconds by default. */
export function parseRotationInput(value: unknown): Result<RotationInput, readonly ParameterFault[]> {
  const overlap = z.int({ error: OVERLAP }).min(0, OVERLAP).max(MAX_OVERLAP_SECONDS, OVERLAP)
  return parseInput(z.strictObject({ overlap: overlap.default(DEFAULT_OVERLAP_SECONDS) }), value)
}

/** Both spellings of a secret, for the one answer that shows it. */
export function showCredential(pair: ClientSecret): ShownCredential {
  return { id: pair.clientId, token: formatAccountToken(pair), ...pair }
}

/**
 * Adds a credential to an account. `now` is epoch milliseconds. `not_found`: the account is unknown.
 * `invalid_request` (422): a scope that the account does not have.
 */
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
 * Gives a credential a new secret. The replaced secret works for `overlap` seconds more; an older one that still worked
 * ends immediately. When a secret ends immediately, resolves only when no process accepts it any more. `now` is epoch
 * milliseconds. Rejects with StorageError.
 *
 * `not_found`: the id is unknown. `conflict`: the credential is revoked, has expired, has registered keys and no
 * secret, or was changed by somebody else at the same time.
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
  if (revokedAt !== null) return fail(conflict('this credential is revoked; create another one'))
  if (secretHash === null) {
    return fail(conflict('this credential has registered keys and no secret; create another one'))
  }
  if (expiresAt !== null && expiresAt <= now) {
    return fail(conflict('this credential has expired; create another one'))
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
    return fail(conflict('this credential was changed by somebody else just now; read it and try again'))
  }
  // A secret ends immediately if the overlap is 0, or if a secret from before the replaced one still worked.
  if (overlap === 0 || (runningUntil ?? 0) > now) await settleChange(ports)
  else await ports.onChange()
  return ok({ ...showCredential(pair), previousExpiresAt })
}

/**
 * Revokes a credential permanently and ends the tokens that were issued for it. Resolves when no process issues tokens
 * for it any more. `now` is epoch milliseconds. Rejects with StorageError. `not_found`: the id is unknown, or the
 * credential is revoked already.
 */
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

/** A credential at `now` (epoch milliseconds), as the admin API and the command line show it. */
export function toWireCredential(credential: Credential, account: Account, now: number): WireCredential {
  const { id, name, browserPrototype, allowLocalhost } = credential
  return {
    id,
    name,
    status: statusOf(credential, now),
    scopes: credential.scopes ?? account.scopes,
    browserPrototype,
    allowLocalhost,
    createdAt: formatTime(credential.createdAt),
    lastUsedAt: formatTime(credential.lastUsedAt),
    expiresAt: formatTime(credential.expiresAt),
    previousExpiresAt: formatTime(credential.previousExpiresAt),
  }
}

/** A rotation as the admin API and the command line show it. */
export function toWireRotation({ previousExpiresAt, ...shown }: RotatedCredential): WireRotation {
  return { ...shown, previousExpiresAt: formatTime(previousExpiresAt) }
}

/** The paths of credentials: create, rotate, revoke. */
export function createCredentialPaths(ports: AdminPorts): AdminPaths {
  return {
    '/admin/accounts/:id/credentials': {
      name: 'admin.credentials',
      methods: {
        async POST(context) {
          const input = await readInput(
            context.request,
            (value) => parseCredentialInput(value, context.now()),
            { mayBeEmpty: true },
          )
          if (!input.ok) return context.refuse(input.reason)
          const accountId = context.params.id ?? ''
          const created = await createCredential(ports, accountId, input.value, 'admin', context.now())
          if (!created.ok) return context.refuse(created.reason)
          return answerJson(context, 201, { credential: created.value })
        },
      },
    },
    '/admin/credentials/:id': {
      name: 'admin.credential',
      methods: {
        async DELETE(context) {
          const revoked = await revokeCredential(ports, context.params.id ?? '', 'admin', context.now())
          return revoked.ok ? context.answer(204, null, {}) : context.refuse(revoked.reason)
        },
      },
    },
    '/admin/credentials/:id/rotate': {
      name: 'admin.rotate',
      methods: {
        async POST(context) {
          const input = await readInput(context.request, parseRotationInput, { mayBeEmpty: true })
          if (!input.ok) return context.refuse(input.reason)
          const id = context.params.id ?? ''
          const rotated = await rotateCredential(ports, id, input.value, 'admin', context.now())
          if (!rotated.ok) return context.refuse(rotated.reason)
          return answerJson(context, 200, { credential: toWireRotation(rotated.value) })
        },
      },
    },
  }
}

/**
 * The credential as it is in the database now. `findCredential` may answer from a cache, so it is used only to find the
 * account, which never changes for a credential. `listCredentials` is not cached.
 */
async function readCredential(storage: Storage, id: string): Promise<Credential | undefined> {
  const found = await storage.findCredential(id)
  if (found === undefined) return undefined
  const all = await storage.listCredentials(found.account.id)
  return all.find((credential) => credential.id === id)
}

function statusOf(credential: Credential, now: number): WireCredential['status'] {
  if (credential.revokedAt !== null) return 'revoked'
  return credential.expiresAt !== null && credential.expiresAt <= now ? 'expired' : 'active'
}
