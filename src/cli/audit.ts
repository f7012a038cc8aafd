// `audit export`: the audit log as JSON lines, oldest first, for an archive or another system.

import type { Command } from 'commander'
import { toWireAudit } from '../admin/audit.ts'
import type { Position } from '../storage/storage.ts'
import { usageError } from './fault.ts'
import { readConfig, withReadRecords } from './open.ts'
import { addExample, addJsonOption, onceOption } from './options.ts'
import { printAside, printJson } from './output.ts'

/** Entries per query. */
const PAGE = 500

/** Adds the commands to the program. */
export function addAuditCommands(program: Command): void {
  const audit = program.command('audit').description('read the audit log')
  const exporting = addJsonOption(audit.command('export'), 'its lines are JSON in any case')
    .description('write the audit log to stdout, oldest entry first, one JSON document a line')
    .addOption(onceOption('--since <time>', 'only entries of this time and later: ISO 8601 with a zone'))
    .action(exportAudit)
  addExample(exporting, 'audit export > audit.jsonl')
}

async function exportAudit({ since }: { readonly since?: string }): Promise<void> {
  const start = since === undefined ? undefined : Date.parse(since)
  if (Number.isNaN(start)) throw usageError('--since: must be a time like 2030-01-31T12:00:00Z')
  let count = 0
  await withReadRecords(readConfig(), async (storage) => {
    let position: Position | undefined = start === undefined ? undefined : { at: start, id: '' }
    for (;;) {
      const entries = await storage.listAudit(position, PAGE, 'oldest')
      for (const entry of entries) printJson(toWireAudit(entry))
      count += entries.length
      position = entries.at(-1)
      if (position === undefined || entries.length < PAGE) return
      if (process.stdout.writableNeedDrain) {
        await new Promise((resolve) => process.stdout.once('drain', resolve))
      }
    }
  })
  printAside(`${count} audit ${count === 1 ? 'entry' : 'entries'}\n`)
}
