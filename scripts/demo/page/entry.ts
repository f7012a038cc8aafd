// What the API keeps of a request for its log, and the page shows.

/** One request, and what became of it. */
export interface LogEntry {
  /** Counts up. */
  readonly number: number
  /** ISO 8601. */
  readonly at: string
  readonly method: string
  /** Path; of a query only that there was one. */
  readonly path: string
  /** The browser's `Origin`, or whoever's. */
  readonly origin: string | null
  /** Whether a browser sent it: those say so, and a thief's script did not bother to. */
  readonly isBrowser: boolean
  outcome: 'allow' | 'deny' | 'would_block' | 'preflight'
  code: string | null
  status: number
}
