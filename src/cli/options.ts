// Options that several commands share, and what happens when an option is repeated.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { type PageRequest, parsePage } from '../admin/page.ts'
import { acceptInput } from './fault.ts'
import { commandName } from './output.ts'

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
}

/** Adds the options that choose a page of a listing. */
export function addPageOptions(command: Command): Command {
  return command
    .addOption(onceOption('--limit <number>', 'how many, 1 to 200 (default: 50)'))
    .addOption(onceOption('--cursor <cursor>', 'continue after an earlier page'))
}

/** The checked page. `idForm`: the form of the ids in cursors of this listing. Throws CliError. */
export function acceptPage({ limit, cursor }: PageOptions, idForm: RegExp): PageRequest {
  const query = new URLSearchParams({
    ...(limit !== undefined && { limit }),
    ...(cursor !== undefined && { cursor }),
  })
  return acceptInput(parsePage(`?${query}`, idForm))
}

/** How to show the next page of the listing that `command` shows. */
export function describeNextPage(command: string, { limit }: PageOptions, nextCursor: string): string {
  const sameSize = limit === undefined ? '' : ` --limit ${limit}`
  return `\nMore:\n  $ ${commandName} ${command}${sameSize} --cursor ${nextCursor}\n`
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
