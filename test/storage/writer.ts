// A process that adds accounts to a SQLite file, for the tests of crashes and of two servers on one file.
// node writer.ts <file> <prefix> <count>: prints each account's id once createAccount has answered.

import { writeSync } from 'node:fs'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import { makeAccount, makeAudit, makeCredential } from '../support/records.ts'

const [path = '', prefix = '', count = ''] = process.argv.slice(2)
const engine = openSqlite(path)
await migrateSchema(engine)
// Each batch reads before it writes. SQLite rejects a transaction that gets the write lock only after its read, if another
// process has written in between. So these writes succeed only if the engine gets the lock before the read.
const read = { sql: 'SELECT count(*) FROM accounts', parameters: [] }
const storage = createSqlStorage({ ...engine, batch: (queries) => engine.batch([read, ...queries]) })
for (let index = 0; index < Number(count); index++) {
  const id = `${prefix}${index}`
  const origin = `https://${id}.example`
  await storage.createAccount(
    makeAccount({ id, allowedOrigins: [origin] }),
    makeCredential(id, { id: `cred-${id}` }),
    makeAudit({ id: `aud-${id}`, target: id }),
  )
  // Synchronous: the line is written before anything else happens.
  writeSync(1, `${id}\n`)
}
await storage.close()
