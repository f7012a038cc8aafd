// The media type of a body (RFC 9110 section 8.3) decides which parser reads it.

/** The media types that the service can read. */
export type MediaType = 'json' | 'form'

const MEDIA_TYPES: ReadonlyMap<string, MediaType> = new Map([
  ['application/json', 'json'],
  ['application/x-www-form-urlencoded', 'form'],
])

/** Longest Content-Type that is parsed, in characters. */
const MAX_LENGTH = 1024

const PARAMETER = /^[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"([^"\\]*)")[\t ]*$/

/**
 * The media type of a Content-Type header. Undefined when it is absent, malformed, over 1024 characters or of another
 * type, or when its charset is not UTF-8. Other parameters are ignored, except that a backslash in a quoted value counts
 * as malformed.
 */
export function parseMediaType(contentType: string | null): MediaType | undefined {
  if (contentType === null || contentType.length > MAX_LENGTH) return undefined
  const exact = MEDIA_TYPES.get(contentType)
  if (exact !== undefined) return exact
  const [type = '', ...parameters] = contentType.split(';')
  return parameters.every(isAcceptable) ? MEDIA_TYPES.get(type.trim().toLowerCase()) : undefined
}

function isAcceptable(parameter: string): boolean {
  if (parameter.trim() === '') return true // allowed by RFC 9110 section 5.6.6
  const match = PARAMETER.exec(parameter)
  if (match === null) return false
  const [, name = '', token, quoted = ''] = match
  return name.toLowerCase() !== 'charset' || (token ?? quoted).toLowerCase() === 'utf-8'
}
