// Times as text (RFC 3339).

/**
 * Epoch milliseconds as `2026-01-01T00:30:00.000Z`; null stays null. Throws RangeError for a time that no Date can
 * hold.
 */
export function formatTime(ms: number): string
export function formatTime(ms: number | null): string | null
export function formatTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
