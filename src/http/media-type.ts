// The media type of a body (RFC 9110 section 8.3) decides which parser reads it.

/** What the service can read. An `ascii-form` names another charset than UTF-8, so its bytes must all be ASCII. */
export type MediaType = 'json' | 'form' | 'ascii-form'

/** Whether a media type is that of an urlencoded form, in any charset that is read. */
export function isForm(type: MediaType | undefined): type is 'form' | 'ascii-form' {
  return type === 'form' || type === 'ascii-form'
}

/** Charsets in which the bytes of ASCII mean the same as in UTF-8. */
const ASCII_CHARSETS: ReadonlySet<string> = new Set(['us-ascii', 'iso-8859-1'])

const MEDIA_TYPES: ReadonlyMap<string, MediaType> = new Map([
  ['application/json', 'json'],
  ['application/x-www-form-urlencoded', 'form'],
])

/** Longest Content-Type that is parsed, in characters. */
const MAX_LENGTH = 1024

const PARAMETER = /^[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"([^"\\]*)")[\t ]*$/

/**
 * The media type of a Content-Type header. Undefined when it is absent, malformed, over 1024 characters or of another
 * type, or when its charset is not UTF-8; that of a form may also be US-ASCII or ISO-8859-1. Other parameters are ignored,
 * except that a backslash in a quoted value counts as malformed.
 */
export function parseMediaType(contentType: string | null): MediaType | undefined {
  if (contentType === null || contentType.length > MAX_LENGTH) return undefined
  const exact = MEDIA_TYPES.get(contentType)
  if (exact !== undefined) return exact
  const [type = '', ...parameters] = contentType.split(';')
  const charsets = parameters.map(readCharset)
  if (charsets.includes(undefined)) return undefined
  const known = MEDIA_TYPES.get(type.trim().toLowerCase())
  const others = charsets.filter((charset) => charset !== 'utf-8') as string[]
  if (others.length === 0) return known
  return known === 'form' && others.every((charset) => ASCII_CHARSETS.has(charset)) ? 'ascii-form' : undefined
}

/** The charset of a parameter, in lower case; `utf-8` for a parameter of another name, undefined for a malformed one. */
function readCharset(parameter: string): string | undefined {
  if (parameter.trim() === '') return 'utf-8' // allowed by RFC 9110 section 5.6.6
  const match = PARAMETER.exec(parameter)
  if (match === null) return undefined
  const [, name = '', token, quoted = ''] = match
  return name.toLowerCase() === 'charset' ? (token ?? quoted).toLowerCase() : 'utf-8'
}
