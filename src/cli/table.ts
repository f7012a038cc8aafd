// Aligned columns for a terminal. What stands in a cell can do nothing to the terminal: control characters and
// those that turn the direction of text are shown as `?`.

/** How the heads of a table look. */
export type Emphasis = (text: string) => string

/** Rows as lines with two blanks between columns; no line ends in blanks. `emphasizeHead` is given the first row. */
export function renderTable(rows: readonly (readonly string[])[], emphasizeHead?: Emphasis): string {
  const cells = rows.map((row) => row.map(toPlainText))
  const widths: number[] = []
  for (const row of cells) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, lengthOf(cell))
  }
  return cells
    .map((row, index) => {
      const line = row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - lengthOf(cell)))
      const text = line.join('  ').trimEnd()
      return `${index === 0 && emphasizeHead !== undefined ? emphasizeHead(text) : text}\n`
    })
    .join('')
}

/** A text without characters that a terminal obeys instead of showing. */
export function toPlainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '?')
}

/** In code points: close enough to columns for what stands in our tables. */
function lengthOf(text: string): number {
  return [...text].length
}
