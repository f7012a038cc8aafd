// The error of signing keys that cannot do their work now: the service answers 503 to it.

/** No key may sign, or the keys are gone from their store. The message names no key material. */
export class SigningKeysError extends Error {
  override readonly name = 'SigningKeysError'
}
