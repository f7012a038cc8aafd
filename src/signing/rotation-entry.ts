// How a rotation of signing keys is put on record. Keys and the audit log may live in different stores: whoever
// rotates writes the entry right afterwards, and upkeep writes it where that did not happen. Both give it the same id.

import type { AuditEntry } from '../claims/account.ts'

const ID_LENGTH = 16

/**
 * The entry that says that the key `kid` signs from `at` (epoch milliseconds) on. Its id follows from the kid, which is
 * used once: to be written with `appendAuditOnce`.
 */
export function createRotationEntry(
  actor: string,
  kid: string,
  at: number,
  detail: AuditEntry['detail'],
): AuditEntry {
  // Ids of audit entries are letters and digits. 16 characters of a thumbprint hold more than 90 bits.
  const id = kid
    .replace(/[^0-9A-Za-z]/g, '0')
    .slice(0, ID_LENGTH)
    .padEnd(ID_LENGTH, '0')
  return { id, at, actor, action: 'key.rotate', target: kid, detail }
}
