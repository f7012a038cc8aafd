// A process that changes records of a SQLite file, for the tests of crashes and of two servers on one file.
// node changer.ts <file> revoke <prefix> <count>: for each number it creates an account, then
// revokes a token, a credential and the account itself; prints `<kind> <value>` once each revocation is acknowledged.
// node changer.ts <file> update <prefix> <count>: adds `count` scopes to the account `acct_shared`, one by one, trying
// again after each conflict; prints each audit id once its update is acknowledged.

import { writeSync } from 'node:fs'
import { migrateSchema } from '../../src/storage/sql/migrate.ts'
import { openSqlite } from '../../src/storage/sql/sqlite.ts'
import { createSqlStorage } from '../../src/storage/sql/storage.ts'
import {
  makeAccount,
  makeAudit,
  makeCredential,
  makeCredentialEnd,
  makeRevocation,
} from '../support/records.ts'

const [path = '', mode = '', prefix = '', count = ''] = process.argv.slice(2)
const engine = openSqlite(path)
await migrateSchema(engine)
const storage = createSqlStorage(engine)

/** Synchronous: the line is written before anything else happens. */
const print = (line: string) => writeSync(1, `${line}\n`)

for (let index = 0; index < Number(count); index++) {
  const name = `${prefix}${index}`
  if (mode === 'revoke') await endAll(name)
  else await addScope(name)
}
await storage.close()

async function endAll(name: string): Promise<void> {
  const account = makeAccount({ id: `acct-${name}`, allowedOrigins: [`https://${name}.example`] })
  const ids = ['a', 'b'].map((letter) => `cred-${name}-${letter}`)
  const audit = (what: string, target: string) => makeAudit({ id: `${what}-${name}`, target })
  await storage.createAccount(account, makeCredential(account.id, { id: ids[0]! }), audit('made', account.id))
  await storage.createCredential(makeCredential(account.id, { id: ids[1]! }), audit('added', ids[1]!))
  const jti = makeRevocation({ id: `jti-${name}`, value: `jti-${name}` })
  await storage.addRevocation(jti, audit('jti', jti.value))
  print(`jti ${jti.value}`)
  if (
    await storage.revokeCredential(
      ids[0]!,
      1_700_000_000_000,
      makeCredentialEnd(ids[0]!),
      audit('client_id', ids[0]!),
    )
  )
    print(`client_id ${ids[0]}`)
  // Accounts whose number ends in 1 are kept, so that the test finds the revocations of their credentials.
  if (name.endsWith('1')) return
  const sub = makeRevocation({ id: `sub-${name}`, kind: 'sub', value: account.id })
  if (await storage.deleteAccount(account.id, sub, audit('sub', account.id))) print(`sub ${account.id}`)
}

async function addScope(name: string): Promise<void> {
  for (;;) {
    const account = await storage.getAccount('acct_shared')
    if (account === undefined) throw new Error('the account is gone')
    const next = { ...account, scopes: [...account.scopes, name], updatedAt: account.updatedAt + 1 }
    if (await storage.updateAccount(next, account.updatedAt, [makeAudit({ id: `aud-${name}` })])) break
  }
  print(`aud-${name}`)
}
