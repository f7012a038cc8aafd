// `audit export`: the audit log as JSON lines, oldest first, for an archive or another system.

import type { Command } from 'commander'
import { toWireAudit } from '../admin/audit.ts'
import type { Position } from '../storage/storage.ts'
import { usageError } from './fault.ts'
import { readConfig, withReadRecords } from './open.ts'
import { addExample, addJsonOption, onceOption } from './options.ts'
import type { Shell } from './shell.ts'

/** How many entries one query reads. */
const PAGE = 500

/** Adds `audit export` to the program. */
export function addAuditCommands(program: Command, shell: Shell): void {
  const audit = program.command('audit').description('read the audit log')
  const exporting = addJsonOption(audit.command('export'), 'accepted and ignored: the lines are always JSON')
    .description('write the audit log to stdout, oldest entry first, one JSON document per line')
    .addOption(onceOption('--since <time>', 'only entries from this time on: ISO 8601 with a zone'))
    .action((options) => exportAudit(shell, options))
  addExample(exporting, 'audit export > audit.jsonl')
}

async function exportAudit(shell: Shell, { since }: { readonly since?: string }): Promise<void> {
  const start = since === undefined ? undefined : Date.parse(since)
  if (Number.isNaN(start)) throw usageError('--since: must be a time like 2030-01-31T12:00:00Z')
  let count = 0
  await withReadRecords(readConfig(shell), async (storage) => {
    let position: Position | undefined = start === undefined ? undefined : { at: start, id: '' }
    for (;;) {
      const entries = await storage.listAudit(position, PAGE, 'oldest')
      for (const entry of entries) shell.printJson(toWireAudit(entry))
      count += entries.length
      position = entries.at(-1)
      if (position === undefined || entries.length < PAGE) return
      if (!(await shell.canPrintMore())) return
    }
  })
  shell.printAside(`${count} audit ${count === 1 ? 'entry' : 'entries'}\n`)
}
