import { expect, test } from 'vitest'
import { isPreflightHead } from '../../src/claims/preflight.ts'
import { lookalikes, type PreflightRow, preflights } from '../support/preflights.ts'

/** The lines of a header as every server joins them. */
const join = (lines: string | readonly string[]): string | null =>
  typeof lines === 'string' ? lines : lines.length === 0 ? null : lines.join(', ')

const read = ({ method = 'OPTIONS', origin, asks }: PreflightRow): boolean =>
  isPreflightHead({ method, origin: join(origin), requestMethod: join(asks) })

test.each(preflights)('a preflight: $name', (row) => {
  expect(read(row)).toBe(true)
})

test.each(lookalikes)('not a preflight: $name', (row) => {
  expect(read(row)).toBe(false)
})

test('a space, control character or line end in either header is refused', () => {
  for (const code of [0, 9, 10, 13, 31, 32, 127, 160]) {
    const character = String.fromCharCode(code)
    const right = { method: 'OPTIONS', origin: 'https://shop.example.net', asks: 'GET' }
    for (const one of [right.origin + character, character + right.origin]) {
      expect(read({ ...right, name: '', origin: one }), String(code)).toBe(false)
    }
    for (const one of [right.asks + character, character + right.asks]) {
      expect(read({ ...right, name: '', asks: one }), String(code)).toBe(false)
    }
  }
})

test('a header of 64 KiB is checked in less than 100 ms', () => {
  const startedAt = performance.now()
  for (const origin of [`a${'.'.repeat(65_000)}`, `https://${'a.'.repeat(32_000)}:`, ' '.repeat(65_000)]) {
    expect(read({ name: '', origin, asks: 'GET' })).toBe(false)
  }
  expect(performance.now() - startedAt).toBeLessThan(100)
})
