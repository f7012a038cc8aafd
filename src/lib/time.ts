// Times as text (RFC 3339).

/**
 * Epoch milliseconds as RFC 3339 text in UTC, such as `2026-01-01T00:30:00.000Z`; null stays null. Throws RangeError for
 * NaN and for a time that does not fit in a Date.
 */
export function formatTime(ms: number): string
export function formatTime(ms: number | null): string | null
export function formatTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
