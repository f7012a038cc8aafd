// A process that takes the lock of a folder again at once whenever it has given it back, until it is killed.
// Argument: the folder. Each turn adds a byte to its file `turns`. Says when it has had the first.

import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { withFolderLock } from '../../src/adapters/node/folder-lock.ts'

const [dir = ''] = process.argv.slice(2)
for (let turn = 0; ; turn += 1) {
  await withFolderLock(dir, async () => {
    appendFileSync(join(dir, 'turns'), '.')
    await setTimeout(5)
  })
  if (turn === 0) console.log('ready')
}
