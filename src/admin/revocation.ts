// Revocations that an administrator makes. One of an account or a credential ends every token that any process issued
// before the answer, or before a given time, and no later one. One of a token or a signing key has no such limit.

import * as z from 'zod'
import {
  REVOCATION_MARGIN_MS,
  type Revocation,
  type RevocationKind,
  revocationKinds,
} from '../claims/records/revocation.ts'
import type { ParameterFault } from '../http/problem.ts'
import { randomBase62 } from '../lib/random.ts'
import { fail, ok, type Result } from '../lib/result.ts'
import { formatTime } from '../lib/time.ts'
import { sleep } from '../lib/timing.ts'
import { createRotationEntry } from '../signing/key-life.ts'
import { parseAccountToken } from '../signing/secret.ts'
import { type Actor, createAuditEntry } from './audit.ts'
import { instant, parseInput } from './input.ts'
import { type AdminPaths, answerJson, readInput } from './json-api.ts'
import type { AdminPorts } from './operation.ts'
import { settleChange, settleRevocation, settlingMoment } from './settle.ts'

/** Which tokens a revocation ends, in canonical form. */
export interface RevocationInput {
  readonly kind: RevocationKind
  /** Id of the token, credential, account or signing key. It need not exist: issued tokens are not stored. */
  readonly value: string
  /**
   * Only tokens issued before this are ended, epoch milliseconds. Undefined: all that are issued before the answer.
   * Does not limit a revocation by `jti` or `kid`, which ends every token with that id.
   */
  readonly issuedBefore: number | undefined
}

/** A revocation that was stored. */
export interface CreatedRevocation {
  readonly revocation: Revocation
  /**
   * The requested time, or else that of the call; epoch milliseconds. The stored rule may also end tokens issued later.
   */
  readonly issuedBefore: number
  /**
   * Why a revoked signing key could not be ended in its store; absent otherwise. The revocation is in force anyway:
   * servers sign with another key, and retry every second to end this one.
   */
  readonly keyFault?: unknown
}

type RevocationName = 'jti' | 'clientId' | 'sub' | 'kid'

/**
 * A revocation as JSON, its times in ISO 8601. Exactly one of the four ids is present; when a customer made it, `sub` is
 * that customer's account.
 */
export type WireRevocation = Readonly<Partial<Record<RevocationName, string>>> & {
  readonly id: string
  readonly issuedBefore: string
  readonly createdAt: string
  readonly expiresAt: string
}

/** How JSON names each kind. */
const NAMES: Readonly<Record<RevocationKind, RevocationName>> = {
  jti: 'jti',
  client_id: 'clientId',
  sub: 'sub',
  kid: 'kid',
}

const ONE = 'must name exactly one of jti, clientId, sub and kid'
const TIME = 'must be a time in ISO 8601 with a zone, like "2030-01-31T12:00:00Z", or in epoch seconds'

/**
 * How long a signing key stays revoked. Longer than any token lives, because a read-only store or a restored backup may
 * still hold the key, which must not sign again.
 */
const KEY_KEPT_MS = 10 * 365 * 24 * 60 * 60 * 1000

/** A timer may fire a little early, so each wait is longer by this. */
const TIMER_GRAIN_MS = 5

type RevocationPorts = Pick<AdminPorts, 'storage' | 'lifetimeSeconds' | 'keyLife' | 'onChange' | 'settleMs'>

/** Checks the JSON of a revocation. `now` is epoch milliseconds. Does not check that the named id exists. */
export function parseRevocationInput(
  value: unknown,
  now: number,
): Result<RevocationInput, readonly ParameterFault[]> {
  const epochSeconds = z.number().transform((seconds) => seconds * 1000)
  const schema = z.strictObject({
    jti: text(/^[\x21-\x7e]{1,256}$/, "must be a token's jti: 1 to 256 visible ASCII characters")
      // A secret that was pasted by mistake would stay in the audit log.
      .refine((jti) => parseAccountToken(jti) === undefined, 'is an account token; send its clientId instead')
      .optional(),
    clientId: text(
      /^[0-9A-Za-z]{1,64}$/,
      "must be a credential's id: up to 64 letters and digits",
    ).optional(),
    sub: text(/^acct_[0-9A-Za-z]{1,64}$/, "must be an account's id, acct_…").optional(),
    kid: text(
      /^[0-9A-Za-z_-]{1,128}$/,
      "must be a signing key's kid: up to 128 base64url characters",
    ).optional(),
    issuedBefore: z
      .union([instant, epochSeconds], { error: TIME })
      .refine((at) => at >= 0, TIME)
      // Fractions of epoch seconds are not exact, so less than a millisecond in the future is allowed.
      .refine((at) => Math.floor(at) <= now, 'must not be in the future')
      .optional(),
  })
  const parsed = parseInput(schema, value)
  if (!parsed.ok) return parsed
  const { issuedBefore, ...named } = parsed.value
  const [one, another] = revocationKinds.flatMap((kind) => {
    const given = named[NAMES[kind]]
    return given === undefined ? [] : [{ kind, value: given, issuedBefore }]
  })
  if (one === undefined || another !== undefined) return fail([{ parameter: 'body', message: ONE }])
  return ok(one)
}

/**
 * Stores a revocation and resolves when it is in force in this process. For a signing key, and for an account or
 * credential without `issuedBefore`, waits in addition until it is in force in every process on the same database,
 * which takes `settleMs` or longer. `now` is epoch milliseconds by the clock that tokens are issued by. Rejects with
 * StorageError.
 */
export async function createRevocation(
  ports: RevocationPorts,
  input: RevocationInput,
  actor: Actor,
  now: number,
): Promise<CreatedRevocation> {
  const { storage, keyLife, onChange } = ports
  const startedAt = performance.now()
  const issuedBefore = Math.floor(input.issuedBefore ?? now)
  const revocation = toRevocation(input, now, ports)
  const { id, kind, value, before } = revocation
  const detail = { revocation: id, kind, issuedBefore: formatTime(issuedBefore) }
  await storage.addRevocation(revocation, createAuditEntry(actor, 'revocation.create', value, now, detail))
  if (kind === 'kid') {
    // Stops this process from signing with the key now, because the change of the key store may be slow or fail.
    await onChange()
    const ending = await endKey(keyLife, value, now)
    await settleChange(ports)
    // A failure here does not undo the revocation: upkeep writes the missing entry.
    if (ending.isEnded) await recordSuccessor({ storage, keyLife }, value, actor, now).catch(() => undefined)
    return { revocation, issuedBefore, ...(ending.fault !== undefined && { keyFault: ending.fault }) }
  }
  if (kind === 'jti') await onChange()
  else if (input.issuedBefore === undefined) await settleRevocation(ports, revocation, now, startedAt)
  else {
    await onChange()
    // `iat` has whole seconds, so the rule ends every token of the second that `issuedBefore` lies in. Until that second
    // is over, new tokens could still get such an `iat`.
    await waitUntil(before, now + performance.now() - startedAt)
  }
  return { revocation, issuedBefore }
}

/** A revocation as the admin API and the command line show it. */
export function toWireRevocation({ revocation, issuedBefore }: CreatedRevocation): WireRevocation {
  const { id, kind, value, account, createdAt, until } = revocation
  return {
    id,
    ...(account !== null && { sub: account }),
    [NAMES[kind]]: value,
    issuedBefore: formatTime(issuedBefore),
    createdAt: formatTime(createdAt),
    expiresAt: formatTime(until),
  }
}

/**
 * A revocation that is read from the store, in the same form. `issuedBefore` is the time of the call that made it, or an
 * earlier requested time rounded up to the second. The exact time of a revocation by `jti` or `kid` is not stored, because
 * it has no effect.
 */
export function toListedRevocation(revocation: Revocation): WireRevocation {
  const issuedBefore = Math.min(revocation.before, revocation.createdAt)
  return toWireRevocation({ revocation, issuedBefore })
}

/** The path of revocations: create. */
export function createRevocationPaths(ports: RevocationPorts): AdminPaths {
  return {
    '/admin/revocations': {
      name: 'admin.revocations',
      methods: {
        async POST(context) {
          const input = await readInput(context.request, (value) =>
            parseRevocationInput(value, context.now()),
          )
          if (!input.ok) return context.refuse(input.reason)
          const created = await createRevocation(ports, input.value, 'admin', context.now())
          return answerJson(context, 201, { revocation: toWireRevocation(created) })
        },
      },
    },
  }
}

/** Ends a key in its store. Never rejects, because the revocation is in force even if the store cannot be changed. */
async function endKey(
  keyLife: RevocationPorts['keyLife'],
  kid: string,
  now: number,
): Promise<{ readonly isEnded: boolean; readonly fault?: unknown }> {
  try {
    return { isEnded: await keyLife.end(kid, now) }
  } catch (fault) {
    return { isEnded: false, fault }
  }
}

/** Writes the audit entry of a rotation if another key has become current because the ended key was current. */
async function recordSuccessor(
  { storage, keyLife }: Pick<RevocationPorts, 'storage' | 'keyLife'>,
  ended: string,
  actor: Actor,
  now: number,
): Promise<void> {
  const successor = (await keyLife.list()).find(({ currentSince }) => currentSince === now)
  if (successor === undefined) return
  await storage.appendAuditOnce(createRotationEntry(actor, successor.kid, now, { ended }))
}

function toRevocation(
  { kind, value, issuedBefore }: RevocationInput,
  now: number,
  { lifetimeSeconds, settleMs }: Pick<AdminPorts, 'lifetimeSeconds' | 'settleMs'>,
): Revocation {
  const before =
    issuedBefore === undefined ? settlingMoment(now, settleMs) : Math.ceil(issuedBefore / 1000) * 1000
  const keptMs = kind === 'kid' ? KEY_KEPT_MS : lifetimeSeconds * 1000 + REVOCATION_MARGIN_MS
  const until = Math.max(before, now) + keptMs
  // A `jti` means one token whenever it was issued, and a thief of a signing key can write any time of issue.
  const isEndless = kind === 'jti' || kind === 'kid'
  return {
    id: randomBase62(16),
    kind,
    value,
    account: null,
    before: isEndless ? until : before,
    until,
    createdAt: now,
  }
}

/** Resolves when a clock that shows `now` at the call has reached `time`. Uses one timer and never re-reads the clock. */
async function waitUntil(time: number, now: number): Promise<void> {
  if (time > now) await sleep(time - now + TIMER_GRAIN_MS)
}

function text(form: RegExp, message: string): z.ZodString {
  return z.string({ error: message }).regex(form, message)
}
