// Finds credentials in text that is about to be logged or printed. This is only the last guard: the code that writes such
// text must not put credentials into it.

/** An account token, or three long base64url parts, as in a JWT. The look-behind keeps the search linear. */
const CREDENTIAL = /cgk_\w*|(?<![\w-])[\w-]{16,}\.[\w-]{16,}\.[\w-]{16,}/
const EVERY_CREDENTIAL = new RegExp(CREDENTIAL, 'g')

/** The text that replaces a removed one. */
export const REMOVED = '[removed]'

/** Whether a text contains an account token or a JWT. Not found: a client secret alone, which has no fixed form. */
export function containsCredential(text: string): boolean {
  return CREDENTIAL.test(text)
}

/** The text with `[removed]` in place of each account token and JWT. Finds the same as `containsCredential`. */
export function removeCredentials(text: string): string {
  return text.replace(EVERY_CREDENTIAL, REMOVED)
}
