// Times in answers (RFC 3339).

/** Epoch seconds as `2026-01-01T00:30:00Z`: whole seconds, as tokens have them. */
export function formatSecond(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
}
