// The Retry-After header: seconds, or an HTTP date (RFC 9110 sections 10.2.3 and 5.6.7).

/** The longest wait that is believed, about 31 years: as much as fits into nine digits. */
const MAX_SECONDS = 999_999_999

/** The three formats of an HTTP date. Senders use the first; recipients must accept all. */
const HTTP_DATES = [
  /^[A-Z][a-z]{2}, (?<day>\d\d) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^[A-Z][a-z]{5,8}, (?<day>\d\d)-(?<month>[A-Z][a-z]{2})-(?<year>\d\d) (?<time>\d\d:\d\d:\d\d) GMT$/,
  /^[A-Z][a-z]{2} (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d\d:\d\d:\d\d) (?<year>\d{4})$/,
]

/**
 * Seconds to wait: the number in the header, or the time from `nowMs` to its date, rounded up; 0 for a date in the past.
 * Undefined when the header is absent, malformed, or asks for more than 999 999 999 s.
 *
 * @param nowMs epoch milliseconds
 */
export function parseRetryAfter(text: string | null, nowMs: number): number | undefined {
  if (text === null) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  const seconds = Math.max(0, Math.ceil((parseHttpDate(text, nowMs) - nowMs) / 1000))
  return seconds <= MAX_SECONDS ? seconds : undefined
}

/** Epoch milliseconds; NaN when the text is not an HTTP date. */
function parseHttpDate(text: string, nowMs: number): number {
  for (const format of HTTP_DATES) {
    const { day, month, year = '', time } = format.exec(text)?.groups ?? {}
    if (day !== undefined)
      return Date.parse(`${day.trim()} ${month} ${completeYear(year, nowMs)} ${time} GMT`)
  }
  return Number.NaN
}

/** Two digits mean the latest year that ends with them and is at most 50 years after `nowMs` (RFC 9110 section 5.6.7). */
function completeYear(year: string, nowMs: number): number {
  if (year.length > 2) return Number(year)
  const last = new Date(nowMs).getUTCFullYear() + 50
  return last - ((last - Number(year)) % 100)
}
