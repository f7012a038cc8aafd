// What the shell gives a command: three streams and the environment. Commands use nothing else of the process, so
// tests run them in their own process.

import { createInterface } from 'node:readline'
import { type Readable, Writable } from 'node:stream'
import { usageError } from './fault.ts'
import { type Emphasis, toPlainText } from './table.ts'

/** Variables by name, as `parseConfig` takes them. */
type Environment = Readonly<Record<string, string | undefined>>

/** The streams and the environment of one run of the program. */
export interface ShellSource {
  /** `isTTY`: stdin is a terminal, so a person types there. */
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable
  readonly stderr: Writable
  /** Whether stdout shows ANSI sequences. */
  readonly isColoured: boolean
  /** Reads the environment, with `.env` where it exists. Throws when `.env` cannot be read. */
  readonly readEnvironment: () => Environment
}

/** What a command has read, by kind: the text that names it. */
export type NamedSources = Readonly<Partial<Record<keyof typeof SOURCE_LABELS, string>>>

const SOURCE_LABELS = { database: 'Database', keysFolder: 'Keys folder' } as const

/** What commands read and write. Results go to stdout, everything else goes to stderr. */
export interface Shell {
  readonly readEnvironment: () => Environment
  /** Whether a person at a terminal can answer a question. */
  readonly isInteractive: boolean
  /** Makes text bold, where stdout can show that. */
  readonly bold: Emphasis
  /** Writes text to stdout, without adding a line end. */
  print(text: string): void
  /** Writes text to stderr, without adding a line end. */
  printAside(text: string): void
  /** Writes one JSON document to stdout, on one line. */
  printJson(value: unknown): void
  /** Writes a warning to stderr: for a person, or as one JSON document. Control characters are replaced or escaped. */
  printWarning(message: string): void
  /**
   * Names on stderr what the command reads. For a person the line is written immediately. With `--json` it is only kept in
   * `namedSources`, and the program writes it at the end, so that a failure stays one JSON document.
   */
  nameSource(kind: keyof NamedSources, name: string): void
  /** The sources that were named for `--json`. */
  readonly namedSources: () => NamedSources
  /**
   * Waits until stdout takes more. Resolves to false when a write has failed, for example because the reader is gone.
   */
  canPrintMore(): Promise<boolean>
  /**
   * Reads the first line of stdin. At a terminal it asks for `what` and does not show what is typed.
   * Rejects with CliError (exit code 2) when stdin is empty.
   */
  readLine(what: string): Promise<string>
  /** Asks a yes-or-no question on the terminal; anything but y or yes is no. Check `isInteractive` first. */
  confirm(question: string): Promise<boolean>
}

/** Creates the shell of one run. `asJson`: results and warnings are JSON documents. */
export function createShell(
  { stdin, stdout, stderr, isColoured, readEnvironment }: ShellSource,
  asJson: boolean,
): Shell {
  const isInteractive = stdin.isTTY ?? false
  let isStdoutOpen = true
  stdout.on('error', () => {
    isStdoutOpen = false
  })
  const sources: { -readonly [Kind in keyof NamedSources]: NamedSources[Kind] } = {}
  const print = (text: string): void => void stdout.write(text)
  const printAside = (text: string): void => void stderr.write(text)

  async function readFirstLine(echo: Writable): Promise<string | undefined> {
    const lines = createInterface({ input: stdin, output: echo, terminal: isInteractive })
    try {
      for await (const line of lines) return line
      return undefined
    } finally {
      lines.close()
    }
  }

  return {
    readEnvironment,
    isInteractive,
    bold: (text) => (isColoured ? `\x1b[1m${text}\x1b[22m` : text),
    print,
    printAside,
    printJson: (value) => print(`${escapeControls(JSON.stringify(value))}\n`),
    printWarning: (message) =>
      printAside(
        asJson
          ? `${escapeControls(JSON.stringify({ warning: message }))}\n`
          : `claimgate: ${toPlainText(message)}\n`,
      ),
    nameSource(kind, name) {
      if (asJson) sources[kind] = name
      else printAside(`${SOURCE_LABELS[kind]}: ${toPlainText(name)}\n`)
    },
    namedSources: () => sources,

    async canPrintMore() {
      if (isStdoutOpen && stdout.writableNeedDrain) {
        await new Promise((resolve) => stdout.once('drain', resolve).once('error', resolve))
      }
      return isStdoutOpen
    },

    async readLine(what) {
      if (isInteractive) printAside(`${what}: `)
      const line = await readFirstLine(new Writable({ write: (_chunk, _encoding, done) => done() }))
      if (isInteractive) printAside('\n')
      if (line === undefined) throw usageError(`stdin holds no ${what}`)
      return line
    },

    async confirm(question) {
      printAside(`${question} [y/N] `)
      const line = await readFirstLine(stderr)
      if (line === undefined) printAside('\n')
      return /^\s*y(es)?\s*$/i.test(line ?? '')
    },
  }
}

/** Escapes every control character of a JSON text of one line: JSON.stringify leaves U+007F to U+009F as they are. */
export function escapeControls(json: string): string {
  return json.replace(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
