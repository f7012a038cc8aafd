// Media types of bodies (RFC 9110 section 8.3): which parser reads it, if any.

/** A kind of body that we read. */
export type MediaType = 'json' | 'form'

const KINDS: ReadonlyMap<string, MediaType> = new Map([
  ['application/json', 'json'],
  ['application/x-www-form-urlencoded', 'form'],
])

/** Longest header that is read, in characters. */
const MAX_LENGTH = 1024

const PARAMETER = /^[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"([^"\\]*)")[\t ]*$/

/** The kind that a Content-Type names; undefined when we do not read it, charsets other than UTF-8 included. */
export function parseMediaType(contentType: string | null): MediaType | undefined {
  if (contentType === null || contentType.length > MAX_LENGTH) return undefined
  const plain = KINDS.get(contentType)
  if (plain !== undefined) return plain
  const [type = '', ...parameters] = contentType.split(';')
  return parameters.every(isAcceptable) ? KINDS.get(type.trim().toLowerCase()) : undefined
}

function isAcceptable(parameter: string): boolean {
  if (parameter.trim() === '') return true // RFC 9110 section 5.6.6 lets one be empty
  const match = PARAMETER.exec(parameter)
  if (match === null) return false
  const [, name = '', token, quoted = ''] = match
  return name.toLowerCase() !== 'charset' || (token ?? quoted).toLowerCase() === 'utf-8'
}
