// An issuer's signed list of revocations: reading one (RFC 7515 compact, `typ: revocations+jwt`), and judging a
// token by it. A list with anything wrong in it is no list: leaving out what is not understood would let tokens
// through. Whether it is current is checked in revocation-feed.ts. A list may have 100 000 entries: all work in
// proportion to them is done in pieces.

import { decodeProtectedHeader } from 'jose'
import type { ClaimsSet } from '../../claims/claims-set.ts'
import { isCanonicalBase64url } from '../../lib/base64url.ts'
import { isJsonObject } from '../../lib/json.ts'
import type { KeySource } from '../keys/source.ts'
import { decodeBase64urlText, parseLongArray, pause } from './pieces.ts'

/** Revocations as the issuer signed them. Times are epoch seconds. */
export interface RevocationList {
  /** The key that signed it. */
  readonly kid: string
  /** Grows with each change. */
  readonly seq: number
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

/** The names by which a revocation matches tokens; of a pair the token must have both. */
const NAMES = ['jti', 'client_id', 'sub', 'kid', 'sub+user', 'sub+jti'] as const
/** A name by which a revocation matches. The value of a pair is made by {@link pairOf}. */
export type RevocationName = (typeof NAMES)[number]

/** Entries by what they name, and by its value. */
export type RevocationIndex = Readonly<Record<RevocationName, Map<string, RevocationEntry[]>>>

const TYPES: readonly unknown[] = ['revocations+jwt', 'application/revocations+jwt']

/** Entries that are compared before the event loop runs other work. */
const COMPARED_TOGETHER = 2000

/** The list in a feed's text, or undefined when form, key, signature, issuer or a member is wrong. */
export async function readRevocations(
  text: string,
  issuer: string,
  keys: KeySource,
): Promise<RevocationList | undefined> {
  try {
    const kid = await verifyList(text, keys)
    return kid === undefined ? undefined : await parseList(text, kid, issuer)
  } catch {
    return undefined
  }
}

/** Whether a token signed under `kid` is ended at `now` (epoch seconds). */
export function isListed(
  index: RevocationIndex,
  claims: ClaimsSet & { readonly user?: unknown },
  kid: string,
  now: number,
): boolean {
  const { jti, client_id, sub, user, iat, exp } = claims
  const isEnded = (entries: readonly RevocationEntry[] | undefined): boolean =>
    // Also a token that expires before `until` but is still accepted because of the clock tolerance.
    entries?.some(({ before, until }) => iat < before && (now < until || exp <= until)) ?? false
  const pairs = (name: 'sub+user' | 'sub+jti', other: string): boolean =>
    index[name].size > 0 && isEnded(index[name].get(pairOf(sub, other)))
  return (
    isEnded(index.jti.get(jti)) ||
    isEnded(index.client_id.get(client_id)) ||
    isEnded(index.sub.get(sub)) ||
    isEnded(index.kid.get(kid)) ||
    pairs('sub+jti', jti) ||
    (typeof user === 'string' && pairs('sub+user', user))
  )
}

/** The key id of a list whose form and signature are valid; undefined otherwise. Throws on text that is not a JWS. */
async function verifyList(text: string, keys: KeySource): Promise<string | undefined> {
  const [head = '', payload = '', signature = '', ...others] = text.split('.')
  if (others.length > 0 || payload === '' || head === '' || signature === '') return undefined
  if (!isCanonicalBase64url(head) || !isCanonicalBase64url(signature)) return undefined
  const { typ, kid = '', alg, ...more } = decodeProtectedHeader({ protected: head })
  if (!TYPES.includes(typ?.toLowerCase()) || typeof kid !== 'string') return undefined
  if ('crit' in more || 'b64' in more) return undefined
  const key = keys.get(kid) ?? (await keys.load?.(kid))
  if (key === undefined || key === 'unavailable' || key.alg !== alg) return undefined
  if (!(await key.verify(text))) return undefined
  // Not awaited, on Workers either: a list must not wait for keys that it does not need.
  void keys.used?.(kid)
  return kid
}

/** The list in a text whose signature is right. */
async function parseList(text: string, kid: string, issuer: string): Promise<RevocationList | undefined> {
  const encoded = text.slice(text.indexOf('.') + 1, text.lastIndexOf('.'))
  const payload = await decodeBase64urlText(encoded)
  if (payload === undefined) return undefined
  const byName = createRevocationIndex()
  const members = await parseLongArray(payload, 'revoked', (entry) => addEntry(byName, entry))
  if (members === undefined) return undefined
  const { iss, iat, exp, seq } = members
  if (iss !== issuer || !isTime(iat) || !isTime(exp) || !Number.isSafeInteger(seq)) return undefined
  return { kid, seq: seq as number, issuedAt: iat, expiresAt: exp, byName }
}

/** Adds an entry to the index; false when it has an unknown member or names nothing. */
function addEntry(index: RevocationIndex, entry: unknown): boolean {
  if (!isJsonObject(entry)) return false
  const { before, until, sub, jti, user } = entry
  if (!isTime(before) || !isTime(until)) return false
  const names = Object.keys(entry).filter((name) => name !== 'before' && name !== 'until')
  if (!names.every((name) => typeof entry[name] === 'string' && entry[name] !== '')) return false
  const [name = '', another] = names
  const times = { before, until }
  if (another === undefined) {
    if (!isSingle(name)) return false
    addRevocation(index, name, entry[name] as string, times)
    return true
  }
  const other = jti ?? user
  if (names.length !== 2 || sub === undefined || other === undefined) return false
  addRevocation(
    index,
    jti === undefined ? 'sub+user' : 'sub+jti',
    pairOf(sub as string, other as string),
    times,
  )
  return true
}

function isSingle(name: string): name is 'jti' | 'client_id' | 'sub' | 'kid' {
  return name === 'jti' || name === 'client_id' || name === 'sub' || name === 'kid'
}

/** An index without entries. */
export function createRevocationIndex(): RevocationIndex {
  return {
    jti: new Map(),
    client_id: new Map(),
    sub: new Map(),
    kid: new Map(),
    'sub+user': new Map(),
    'sub+jti': new Map(),
  }
}

/** The value of a pair in an index; unique for each pair. */
export function pairOf(sub: string, other: string): string {
  return `${sub.length}:${sub}${other}`
}

/** Adds an entry for the tokens that have this value under this name. */
export function addRevocation(
  index: RevocationIndex,
  name: RevocationName,
  value: string,
  { before, until }: RevocationEntry,
): void {
  const others = index[name].get(value)
  if (others === undefined) index[name].set(value, [{ before, until }])
  else others.push({ before, until })
}

/** Whether two indexes have the same entries, ignoring those that expire by `time` (epoch seconds). */
export async function haveSameEntries(
  one: RevocationIndex,
  other: RevocationIndex,
  time: number,
): Promise<boolean> {
  return (await holdsAll(one, other, time)) && (await holdsAll(other, one, time))
}

async function holdsAll(index: RevocationIndex, of: RevocationIndex, time: number): Promise<boolean> {
  let compared = 0
  for (const name of NAMES) {
    for (const [value, entries] of of[name]) {
      compared += 1
      if (compared % COMPARED_TOGETHER === 0) await pause()
      const held = index[name].get(value)
      const isHeld = ({ before, until }: RevocationEntry): boolean =>
        until <= time || held?.some((own) => own.before === before && own.until === until) === true
      if (!entries.every(isHeld)) return false
    }
  }
  return true
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
