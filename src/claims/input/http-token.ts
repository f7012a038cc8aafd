// Names in HTTP: those of methods and of headers.

/** A token (RFC 9110 section 5.6.2), such as a method or the name of a header; the whole text. */
export const HTTP_TOKEN: RegExp = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
