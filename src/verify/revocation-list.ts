// An issuer's signed list of revocations: reading one (RFC 7515 compact, `typ: revocations+jwt`), and judging a
// token by it. A list with anything wrong in it is no list: leaving out what is not understood would let tokens
// through. Whether it is of today is judged where the clock is (revocation-feed.ts).

import { base64url, decodeProtectedHeader } from 'jose'
import { isCanonicalBase64url } from '../claims/base64url.ts'
import type { ClaimsSet } from '../claims/claims-set.ts'
import { isJsonObject, type JsonObject, parseJson } from '../claims/json.ts'
import { decodeUtf8 } from '../claims/utf8.ts'
import type { KeySource } from './key-source.ts'

/** Revocations as the issuer signed them. Times are epoch seconds. */
export interface RevocationList {
  readonly issuedAt: number
  readonly expiresAt: number
  readonly byName: RevocationIndex
}

/** What ends tokens. Times are epoch seconds. */
export interface RevocationEntry {
  /** Tokens minted before are ended. */
  readonly before: number
  /** When the last of them has expired. */
  readonly until: number
}

/** What a revocation may name. */
const NAMES = ['jti', 'client_id', 'sub', 'kid'] as const
type RevocationName = (typeof NAMES)[number]

/** Entries by what they name, and by its value. */
export type RevocationIndex = Readonly<Record<RevocationName, Map<string, RevocationEntry[]>>>

const TYPES: readonly unknown[] = ['revocations+jwt', 'application/revocations+jwt']

/** The list in a feed's text, or undefined when form, key, signature, issuer or a member is wrong. */
export async function readRevocations(
  text: string,
  issuer: string,
  keys: KeySource,
): Promise<RevocationList | undefined> {
  try {
    const payload = await verifyList(text, keys)
    return payload === undefined || payload.iss !== issuer ? undefined : parseList(payload)
  } catch {
    return undefined
  }
}

/** Whether a token signed under `kid` is ended at `now` (epoch seconds). */
export function isListed(byName: RevocationIndex, claims: ClaimsSet, kid: string, now: number): boolean {
  return NAMES.some((name) =>
    byName[name]
      .get(name === 'kid' ? kid : claims[name])
      // A token that lives on by clock tolerance is still one that the entry was made for.
      ?.some(({ before, until }) => claims.iat < before && (now < until || claims.exp <= until)),
  )
}

/** The payload, once its signature is right under a key of the verifier's own. Throws on what is no JWS. */
async function verifyList(text: string, keys: KeySource): Promise<JsonObject | undefined> {
  const parts = text.split('.')
  if (parts.length !== 3 || !parts.every((part) => part !== '' && isCanonicalBase64url(part)))
    return undefined
  const { typ, kid = '', alg, ...more } = decodeProtectedHeader(text)
  if (!TYPES.includes(typ?.toLowerCase()) || typeof kid !== 'string') return undefined
  if ('crit' in more || 'b64' in more) return undefined
  const key = keys.get(kid) ?? (await keys.load?.(kid))
  if (key === undefined || key === 'unavailable' || key.alg !== alg) return undefined
  if (!(await key.verify(text))) return undefined
  // Not awaited, on Workers either: a list must not wait for keys that it does not need.
  void keys.used?.(kid)
  const payload = parseJson(decodeUtf8(base64url.decode(parts[1] ?? '')) ?? '')
  return payload.ok && isJsonObject(payload.value) ? payload.value : undefined
}

function parseList({ iat, exp, revoked }: JsonObject): RevocationList | undefined {
  if (!isTime(iat) || !isTime(exp) || !Array.isArray(revoked)) return undefined
  const byName = createRevocationIndex()
  for (const entry of revoked) if (!addEntry(byName, entry)) return undefined
  return { issuedAt: iat, expiresAt: exp, byName }
}

/** Whether the entry names exactly one thing, and was added. */
function addEntry(byName: RevocationIndex, entry: unknown): boolean {
  if (!isJsonObject(entry) || !isTime(entry.before) || !isTime(entry.until)) return false
  const [name, another] = NAMES.filter((known) => known in entry)
  if (name === undefined || another !== undefined) return false
  const id = entry[name]
  if (typeof id !== 'string' || id === '') return false
  addRevocation(byName, name, id, { before: entry.before, until: entry.until })
  return true
}

/** An index without entries. */
export function createRevocationIndex(): RevocationIndex {
  return { jti: new Map(), client_id: new Map(), sub: new Map(), kid: new Map() }
}

/** Adds an entry for whatever bears this value under this name. */
export function addRevocation(
  byName: RevocationIndex,
  name: RevocationName,
  value: string,
  { before, until }: RevocationEntry,
): void {
  const others = byName[name].get(value)
  if (others === undefined) byName[name].set(value, [{ before, until }])
  else others.push({ before, until })
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
