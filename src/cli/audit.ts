// `audit list` shows the newest entries of the audit log page by page. `audit export` writes all of it as JSON lines, oldest
// first, for an archive or another system.

import type { Command } from 'commander'
import { toWireAudit, type WireAudit } from '../admin/audit.ts'
import { instant, parseInput } from '../admin/input.ts'
import { AUDIT_ID } from '../admin/page.ts'
import type { Position } from '../storage/storage.ts'
import { usageError } from './fault.ts'
import { readConfig, withReadRecords } from './open.ts'
import {
  addExample,
  addJsonOption,
  addPageOptions,
  onceOption,
  type PageOptions,
  printListing,
} from './options.ts'
import type { Shell } from './shell.ts'
import { type Emphasis, renderTable } from './table.ts'
import { shortenIso } from './when.ts'

/** How many entries one query reads. */
const PAGE = 500

/** Adds `audit list` and `audit export` to the program. */
export function addAuditCommands(program: Command, shell: Shell): void {
  const audit = program.command('audit').description('read the audit log')
  const list = addPageOptions(addJsonOption(audit.command('list')))
    .description('list the audit log, newest entry first')
    .action((options) => listAudit(shell, options))
  addExample(list, 'audit list --limit 10')
  const exporting = addJsonOption(audit.command('export'), 'accepted and ignored: the lines are always JSON')
    .description('write the audit log to stdout, oldest entry first, one JSON document per line')
    .addOption(onceOption('--since <time>', 'only entries from this time on: ISO 8601 with a zone'))
    .action((options) => exportAudit(shell, options))
  addExample(exporting, 'audit export > audit.jsonl')
}

function listAudit(shell: Shell, options: PageOptions): Promise<void> {
  return printListing(shell, options, {
    command: 'audit list',
    idForm: AUDIT_ID,
    read: (storage, after, limit) => storage.listAudit(after, limit),
    timeOf: (entry) => entry.at,
    toJson: (page) => ({ entries: page.map(toWireAudit) }),
    toTable: (page) => renderEntries(page.map(toWireAudit), shell.bold),
    none: 'The audit log has no entries.',
  })
}

/** A table of audit entries, one per line; an empty text when there are none. */
function renderEntries(entries: readonly WireAudit[], bold: Emphasis): string {
  if (entries.length === 0) return ''
  const rows = entries.map(({ at, actor, action, target, detail }) => [
    shortenIso(at),
    actor,
    action,
    target,
    detail === null ? '' : JSON.stringify(detail),
  ])
  return renderTable([['TIME', 'ACTOR', 'ACTION', 'TARGET', 'DETAIL'], ...rows], bold)
}

async function exportAudit(shell: Shell, { since }: { readonly since?: string }): Promise<void> {
  const parsed = since === undefined ? undefined : parseInput(instant, since)
  if (parsed?.ok === false) throw usageError(`--since ${parsed.reason[0]?.message}`)
  const start = parsed?.value
  let count = 0
  await withReadRecords(shell, readConfig(shell), async (storage) => {
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
