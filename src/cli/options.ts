// Options that several commands share, and how repeats of an option are read.

import { type Command, InvalidArgumentError, Option } from 'commander'
import { commandName } from './output.ts'

/** Adds `--json` to a command. */
export function addJsonOption(
  command: Command,
  description = 'print one JSON document, as the admin API would answer',
): Command {
  return command.option('--json', description)
}

/** Adds the option that keeps a new account token in a file. */
export function addTokenFileOption(command: Command): Command {
  return command.addOption(
    onceOption('--token-file <path>', 'keep the account token there instead of printing it'),
  )
}

/** Adds an example to a command's help. `line` is what follows the program's name; `before` what goes before it. */
export function addExample(command: Command, line: string, before = ''): Command {
  return command.addHelpText('after', `\nExample:\n  $ ${before}${commandName} ${line}`)
}

/** An option that may be repeated: its values in order. */
export function listOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value],
  )
}

/** An option with one value: two different ones are an error, since one of them would be lost. */
export function onceOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, previous: string | undefined) => {
    if (previous !== undefined && previous !== value) throw new InvalidArgumentError('It was given twice.')
    return value
  })
}

/** Reads a whole number written in plain digits. */
export function parseWholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('Write a whole number.')
  return Number(text)
}

/** Scopes of a repeated option, each of which may hold several with blanks between them. */
export function splitScopes(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => text.split(' '))
}
