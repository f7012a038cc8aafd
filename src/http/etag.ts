// Conditional requests (RFC 9110 section 13.1.2).

/** Whether an `If-None-Match` header names this tag: a list of tags, compared weakly, or `*`. */
export function matchesTag(header: string | null, etag: string): boolean {
  if (header === null) return false
  return header === '*' || header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
