// Options that several commands share, and how repeats of an option are read.

import { type Command, InvalidArgumentError, Option } from 'commander'

/** Adds `--json` to a command. */
export function addJsonOption(
  command: Command,
  description = 'print one JSON document, as the admin API would answer',
): Command {
  return command.option('--json', description)
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
