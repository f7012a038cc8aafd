// A process that tries `count` times to rotate the keys of a folder. A try fails when another process rotated first.
// Arguments: the folder, and `count`. Begins on a line of input; prints each rotation that it made: the new current kid, then
// the old one.

import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { createFileKeyStore } from '../../src/adapters/node/key-files.ts'
import { createSigningKey } from '../../src/signing/make-keys.ts'
import { rotation } from '../support/key-rotation.ts'

const [dir = '', count = ''] = process.argv.slice(2)
const store = createFileKeyStore(dir, { production: true })
console.log('ready')
await once(process.stdin, 'data')
for (let index = 0; index < Number(count); index += 1) {
  const now = Date.now()
  const change = rotation(await store.list(), await createSigningKey('ES256', 'pending', now), now)
  const [from, to] = change.put
  if (await store.replace(change)) writeSync(1, `${to!.kid} ${from!.kid}\n`)
}
process.stdin.destroy()
