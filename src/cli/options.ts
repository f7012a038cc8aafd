// Options that several commands share, what happens when an option is repeated, and listings that are shown page by page.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { cutPage, parsePage } from '../admin/page.ts'
import type { Position, Storage } from '../storage/storage.ts'
import { acceptInput } from './fault.ts'
import { readConfig, withReadRecords } from './open.ts'
import { commandName } from './output.ts'
import type { Shell } from './shell.ts'

/** Adds the option `--json` to a command. */
export function addJsonOption(
  command: Command,
  description = "print the admin API's answer as one JSON document",
): Command {
  return command.option('--json', description)
}

/** Adds the options that keep a new account token in a file. */
export function addTokenFileOption(command: Command): Command {
  return command
    .addOption(
      onceOption(
        '--token-file <path>',
        'write the account token to this file, which must not exist, instead of printing it',
      ),
    )
    .option('--force', 'let --token-file replace a file')
}

/** Where a new account token is written, as the options of `addTokenFileOption` say. */
export interface TokenFileOptions {
  /** Undefined: the token is printed. */
  readonly tokenFile?: string | undefined
  /** Whether the file may replace an older one. */
  readonly force?: boolean | undefined
}

/** The page of a listing, as the options of `addPageOptions` say. */
export interface PageOptions {
  readonly limit?: string
  readonly cursor?: string
  readonly json?: boolean
}

/** Adds the options that choose a page of a listing. */
export function addPageOptions(command: Command): Command {
  return command
    .addOption(onceOption('--limit <number>', 'how many, 1 to 200 (default: 50)'))
    .addOption(onceOption('--cursor <cursor>', 'continue after an earlier page'))
}

/** A listing of records, oldest or newest first. */
export interface Listing<T extends { readonly id: string }> {
  /** The command that shows it, such as `account list`. */
  readonly command: string
  /** The form of the ids in its cursors. */
  readonly idForm: RegExp
  /** Reads up to `limit` records after a position. */
  readonly read: (storage: Storage, after: Position | undefined, limit: number) => Promise<readonly T[]>
  /** The time by which the records are ordered, epoch milliseconds. */
  readonly timeOf: (record: T) => number
  /** The page as the admin API would answer it, without `nextCursor`. */
  readonly toJson: (page: readonly T[]) => object
  /** The page as a table; an empty text when it has no records. */
  readonly toTable: (page: readonly T[]) => string
  /** Said on stderr when there are no records. */
  readonly none: string
}

/** Shows one page of a listing, and on stderr how to show the next one. Rejects as `withReadRecords` does. */
export async function printListing<T extends { readonly id: string }>(
  shell: Shell,
  { limit, cursor, json }: PageOptions,
  listing: Listing<T>,
): Promise<void> {
  const query = new URLSearchParams({
    ...(limit !== undefined && { limit }),
    ...(cursor !== undefined && { cursor }),
  })
  const asked = acceptInput(parsePage(`?${query}`, listing.idForm))
  await withReadRecords(shell, readConfig(shell), async (storage) => {
    const records = await listing.read(storage, asked.after, asked.limit + 1)
    const { page, nextCursor } = cutPage(records, asked.limit, listing.timeOf)
    if (json) return shell.printJson({ ...listing.toJson(page), nextCursor })
    shell.print(listing.toTable(page))
    if (nextCursor !== null) {
      const sameSize = limit === undefined ? '' : ` --limit ${limit}`
      shell.printAside(`\nMore:\n  $ ${commandName} ${listing.command}${sameSize} --cursor ${nextCursor}\n`)
    } else if (page.length === 0) shell.printAside(`${listing.none}\n`)
  })
}

/** Adds an example to a command's help: `before`, the program's name, `line`. */
export function addExample(command: Command, line: string, before = ''): Command {
  return command.addHelpText('after', `\nExample:\n  $ ${before}${commandName} ${line}`)
}

/** An option that may be repeated; its value is the list of values, in order. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value],
  )
}

/** An option with one value. Two different values are an error, because one of them would be ignored. */
export function onceOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, previous: string | undefined) => {
    if (previous !== undefined && previous !== value)
      throw new InvalidArgumentError('It was given twice, with different values.')
    return value
  })
}

/** Reads a whole number of 1 to 10 digits. Throws InvalidArgumentError. */
export function parseWholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('Write a whole number.')
  return Number(text)
}

/** The scopes of a repeated option; each value may hold several, separated by spaces. */
export function splitScopes(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => text.split(' '))
}
