// A process that releases the lock of a folder and takes it again without a pause, until it is killed.
// Argument: the folder. Each turn adds a byte to the file `turns` in it. Prints a line after the first turn.

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
