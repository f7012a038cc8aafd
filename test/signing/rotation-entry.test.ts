// The audit entry of a rotation: the same id whoever writes it, and one that the audit log's pages can name.

import { expect, test } from 'vitest'
import { AUDIT_ID } from '../../src/admin/page.ts'
import { createRotationEntry } from '../../src/signing/rotation-entry.ts'

test.each([
  ['a thumbprint', 'NzbLsXh8uDCcd6MNwXF4W7noWXFZAfHkxZsRGC9Xs', 'NzbLsXh8uDCcd6MN'],
  ['one with - and _', '-_bL-Xh8_DCc-6M_wXF4W7noWXFZAfHkxZsRGC9Xs', '00bL0Xh80DCc06M0'],
  ['a short id of a key that was put there by hand', 'a-1', 'a010000000000000'],
])('%s', (_name, kid, id) => {
  expect(id).toMatch(AUDIT_ID)
  const common = { id, action: 'key.rotate', target: kid }
  expect(createRotationEntry('cli', kid, 5, { forced: true })).toEqual({
    ...common,
    at: 5,
    actor: 'cli',
    detail: { forced: true },
  })
  expect(createRotationEntry('system', kid, 6, null)).toEqual({
    ...common,
    at: 6,
    actor: 'system',
    detail: null,
  })
})
