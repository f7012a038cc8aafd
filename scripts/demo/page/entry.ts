// An entry of the API's log, which the page shows.

/** One request to the API, and the decision on it. */
export interface LogEntry {
  /** Number of the entry, from 1. */
  readonly number: number
  /** When the request came, ISO 8601. */
  readonly at: string
  readonly method: string
  /** The path, with `?token=…` in place of any query. */
  readonly path: string
  /** The `Origin` header, which scripts can forge; null without one. */
  readonly origin: string | null
  /** Whether the request has `Sec-Fetch-Site`, which browsers send. */
  readonly isBrowser: boolean
  outcome: 'allow' | 'deny' | 'would_block' | 'preflight'
  code: string | null
  status: number
}
