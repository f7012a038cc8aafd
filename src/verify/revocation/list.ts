// An issuer's signed list of revocations (JWS compact, RFC 7515, `typ: revocations+jwt`): the format of an entry, and
// reading a list. A list with any fault is refused as a whole, because skipping an entry would let revoked tokens pass.
// feed.ts decides whether a list is current. A list may have 100 000 entries, so they are processed in slices.

import { decodeProtectedHeader } from 'jose'
import {
  createRevocationIndex,
  type ListedKind,
  type RevocationIndex,
  type RevocationRule,
  revocationKinds,
  roundUpToSeconds,
} from '../../claims/records/revocation.ts'
import { isCanonicalBase64url } from '../../lib/base64url.ts'
import { isJsonObject } from '../../lib/json.ts'
import { sleep } from '../../lib/timing.ts'
import type { KeySource } from '../keys/source.ts'
import { decodeBase64urlText, parseLongArray } from './read-long-array.ts'

/** A rule that a list can contain. Its times are epoch milliseconds, although an entry has seconds. */
export type ListedRule = RevocationRule<ListedKind>

/** A list whose signature was verified. `issuedAt` and `expiresAt` are epoch seconds. */
export interface RevocationList {
  /** Id of the key that signed it. */
  readonly kid: string
  /** Number of the list, which grows with each change of the rules. */
  readonly seq: number
  readonly issuedAt: number
  readonly expiresAt: number
  readonly rules: RevocationIndex<ListedRule>
}

const TYPES: readonly unknown[] = ['revocations+jwt', 'application/revocations+jwt']

/** Members that can be the only name in an entry. */
const ALONE: readonly string[] = revocationKinds
/** Members that can be in an entry together with the account (`sub`). */
const OF_ACCOUNT: readonly string[] = ['jti', 'user'] satisfies ListedKind[]

/** Groups of rules that are compared before the event loop runs other work. */
const COMPARED_TOGETHER = 2000

/** The entry for a rule as JSON text: `{ sub?, <kind>, before, until }`, with times in epoch seconds, rounded up. */
export function formatEntry({ account, kind, value, before, until }: ListedRule): string {
  return JSON.stringify({
    ...(account !== null && { sub: account }),
    [kind]: value,
    before: roundUpToSeconds(before),
    until: roundUpToSeconds(until),
  })
}

/** The rule in an entry; undefined if a member is missing, invalid or unknown, or if its names cannot be combined. */
function parseEntry(entry: unknown): ListedRule | undefined {
  if (!isJsonObject(entry)) return undefined
  const { before, until, sub } = entry
  if (!isTime(before) || !isTime(until)) return undefined
  const names = Object.keys(entry).filter((name) => name !== 'before' && name !== 'until')
  const isPair = names.length === 2 && sub !== undefined
  const [kind = '', another] = isPair ? names.filter((name) => name !== 'sub') : names
  if (another !== undefined || !(isPair ? OF_ACCOUNT : ALONE).includes(kind)) return undefined
  const [value, account] = [entry[kind], isPair ? sub : null]
  if (!isName(value) || !(account === null || isName(account))) return undefined
  return { kind: kind as ListedKind, value, account, before: before * 1000, until: until * 1000 }
}

/** The list in a feed's text, or undefined if its form, key, signature, issuer or any member is wrong. Never rejects. */
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

/** The key id of a list whose form and signature are valid, or undefined. Rejects if the header is not JSON. */
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
  // Not awaited, not even on Workers, because this list does not need the keys that a renewal would bring.
  void keys.used?.(kid)
  return kid
}

/** The list in a text whose signature was verified; undefined if a member is invalid. */
async function parseList(text: string, kid: string, issuer: string): Promise<RevocationList | undefined> {
  const encoded = text.slice(text.indexOf('.') + 1, text.lastIndexOf('.'))
  const payload = await decodeBase64urlText(encoded)
  if (payload === undefined) return undefined
  const rules = createRevocationIndex<ListedRule>()
  const members = await parseLongArray(payload, 'revoked', (entry) => {
    const rule = parseEntry(entry)
    if (rule !== undefined) rules.add(rule)
    return rule !== undefined
  })
  if (members === undefined) return undefined
  const { iss, iat, exp, seq } = members
  if (iss !== issuer || !isTime(iat) || !isTime(exp) || !Number.isSafeInteger(seq)) return undefined
  return { kid, seq: seq as number, issuedAt: iat, expiresAt: exp, rules }
}

/** Whether two lists have the same rules, ignoring those that expire by `time` (epoch seconds). */
export async function haveSameRules(
  one: RevocationList,
  other: RevocationList,
  time: number,
): Promise<boolean> {
  return (await hasRulesOf(one, other, time)) && (await hasRulesOf(other, one, time))
}

async function hasRulesOf(list: RevocationList, other: RevocationList, time: number): Promise<boolean> {
  let compared = 0
  for (const group of other.rules.groups()) {
    compared += 1
    if (compared % COMPARED_TOGETHER === 0) await sleep(0)
    for (const rule of group) {
      if (rule.until <= time * 1000) continue
      const isSame = ({ before, until }: ListedRule): boolean =>
        before === rule.before && until === rule.until
      if (!list.rules.find(rule).some(isSame)) return false
    }
  }
  return true
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
