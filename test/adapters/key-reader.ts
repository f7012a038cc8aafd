// A process that lists the keys of a folder `count` times, or until its input ends. Then it prints as JSON how often it has
// seen each combination of key states. Arguments: the folder, and `count`. Prints a line when it is ready.

import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { createFileKeyStore } from '../../src/adapters/node/key-files.ts'

const [dir = '', count = ''] = process.argv.slice(2)
const store = createFileKeyStore(dir, { production: true })
const seen: Record<string, number> = {}
let isOver = false
once(process.stdin.resume(), 'end').then(() => {
  isOver = true
})
console.log('ready')
for (let index = 0; index < Number(count) && !isOver; index += 1) {
  const states = (await store.list()).map(({ state }) => state)
  const found = states.sort().join(' ')
  seen[found] = (seen[found] ?? 0) + 1
  await setImmediate()
}
console.log(JSON.stringify(seen))
process.stdin.destroy()
