// Parses the text of a `.env` file. Values mean the same as with `node --env-file`, but nothing is skipped or guessed: a line
// that Node ignores, an encoding that it misreads and a quote that is not closed are faults.

import { fail, ok, type Result } from '../../lib/result.ts'
import { decodeUtf8 } from '../../lib/utf8.ts'

/** What is wrong with one line of the file. Lines are counted from 1. `problem` contains nothing from the file. */
export interface EnvFault {
  readonly line: number
  readonly problem: string
}

/** Names and values in the order of the file; a name may occur several times. */
type Assignments = readonly (readonly [name: string, value: string])[]

/** `export` is allowed, so that a shell can read the file too. */
const NAME = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*/
/** A line without an assignment, and what may follow the closing quote of a value. */
const BLANK_OR_COMMENT = /^[ \t]*(?:#.*)?$/

/** Most faults that are reported, because the file may be of another kind altogether. */
const MAX_FAULTS = 20

const UTF_16 = 'the file is UTF-16; save it as UTF-8'
const NUL = 'has a NUL character; save the file as UTF-8 text'
const NOT_UTF_8 = 'is not UTF-8; save the file as UTF-8'
const UNREADABLE = 'is neither NAME=value, nor a comment (# …), nor blank'
const NOT_CLOSED = 'has a quoted value without its closing quote'
const AFTER_VALUE = 'has text after the closing quote of its value; only a comment may follow'

/**
 * Parses a `.env` file in UTF-8, with or without a byte order mark. A value may be in single, double or back quotes and then
 * span lines; `\n` in double quotes is a line end. A value without quotes ends at `#` or at the end of its line, without blanks
 * around it. The reason lists the first 20 lines that cannot be read.
 */
export function parseEnvFile(bytes: Uint8Array): Result<Assignments, readonly EnvFault[]> {
  if (isUtf16(bytes)) return fail([{ line: 1, problem: UTF_16 }])
  // The decoder drops a byte order mark. Bytes that are not UTF-8 become U+FFFD, which only matters in an assignment.
  const text = new TextDecoder().decode(bytes)
  const mayHoldReplaced = decodeUtf8(bytes) === undefined
  const lines = text.split(/\r\n|\n|\r/)
  const withNul = lines.flatMap((line, at) => (line.includes('\0') ? [{ line: at + 1, problem: NUL }] : []))
  if (withNul.length > 0) return fail(withNul.slice(0, MAX_FAULTS))
  const assignments: [string, string][] = []
  const faults: EnvFault[] = []
  for (let at = 0; at < lines.length; at += 1) {
    const start = at
    const line = lines[at] ?? ''
    const report = (problem: string): void => void faults.push({ line: start + 1, problem })
    const [head, name = ''] = NAME.exec(line) ?? []
    if (BLANK_OR_COMMENT.test(line)) continue
    else if (head === undefined) report(UNREADABLE)
    else {
      const read = readValue(lines, at, line.slice(head.length))
      if (!read.ok) report(read.reason)
      else if (mayHoldReplaced && read.value.text.includes('\ufffd')) report(NOT_UTF_8)
      else assignments.push([name, read.value.text])
      if (read.ok) at = read.value.lastLine
    }
  }
  return faults.length === 0 ? ok(assignments) : fail(faults.slice(0, MAX_FAULTS))
}

/** The value that begins with `rest` in the line at index `at`, and the index of the line in which it ends. */
function readValue(
  lines: readonly string[],
  at: number,
  rest: string,
): Result<{ readonly text: string; readonly lastLine: number }, string> {
  const [quote = ''] = /^["'`]/.exec(rest) ?? []
  if (quote === '') return ok({ text: (rest.split('#')[0] ?? '').trim(), lastLine: at })
  const parts: string[] = []
  for (const [index, line] of [rest.slice(1), ...lines.slice(at + 1)].entries()) {
    const end = line.indexOf(quote)
    if (end >= 0) {
      if (!BLANK_OR_COMMENT.test(line.slice(end + 1))) return fail(AFTER_VALUE)
      const text = [...parts, line.slice(0, end)].join('\n')
      return ok({ text: quote === '"' ? text.replaceAll('\\n', '\n') : text, lastLine: at + index })
    }
    parts.push(line)
  }
  return fail(NOT_CLOSED)
}

/** Whether a file begins with a byte order mark of UTF-16, or with an ASCII character in UTF-16. */
function isUtf16([first, second]: Uint8Array): boolean {
  if (first === undefined || second === undefined) return false
  return (
    (first === 0xff && second === 0xfe) ||
    (first === 0xfe && second === 0xff) ||
    (first === 0) !== (second === 0)
  )
}
