// The error of signing keys that cannot be used now; the service answers 503.

/** No key may sign, or the keys are gone from their store. The message names no key material. */
export class SigningKeysError extends Error {
  override readonly name = 'SigningKeysError'
}
