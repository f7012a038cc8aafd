// A process that initializes many key folders, one after the other, with two keys of its own.
// Arguments: how many folders, and the folder that holds them. Begins on a line of input; prints the kids that each folder
// then has.

import { once } from 'node:events'
import { join } from 'node:path'
import { createFileKeyStore } from '../../src/adapters/node/key-files.ts'
import { createFirstKeys } from '../../src/signing/make-keys.ts'

const [count = '', root = ''] = process.argv.slice(2)
const keys = await createFirstKeys('ES256', Date.now())
console.log('ready')
await once(process.stdin, 'data')
for (let index = 0; index < Number(count); index += 1) {
  const store = createFileKeyStore(join(root, String(index)), { production: true })
  await store.initialize(keys)
  const kids = (await store.list()).map((key) => key.kid).sort()
  console.log(kids.join(' '))
}
process.stdin.destroy()
