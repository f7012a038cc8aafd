// Writes the import rules into src/README.md: `npm exec -- node test/support/write-rules.ts`.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderRules } from './house.ts'
import { ROOT } from './source.ts'

const path = join(ROOT, 'src/README.md')
const text = readFileSync(path, 'utf8')
writeFileSync(
  path,
  text.replace(/\| room \|[^\n]*\n(\|[^\n]*\n)+/, () => `${renderRules()}\n`),
)
