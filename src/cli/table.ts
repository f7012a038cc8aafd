// Aligned columns for a terminal. Text in a cell cannot change the terminal: control characters and characters that
// reverse the direction of text are shown as `?`.

/** Makes text stand out, for example in bold. */
export type Emphasis = (text: string) => string

/** Rows as lines, with two spaces between columns and none at the end. `emphasizeHead` is applied to the first row. */
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

/** Replaces every character that a terminal would act on instead of showing it. */
export function toPlainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '?')
}

/** Code points: close enough to the number of columns for the text in our tables. */
function lengthOf(text: string): number {
  return [...text].length
}
