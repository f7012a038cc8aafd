// Errors of signing keys. The service answers each of them with status 503.

/** No key may sign, or the key store is empty. The message contains no key material. */
export class SigningKeysError extends Error {
  override readonly name = 'SigningKeysError'
}

/** A store that had keys before is empty: its folder or table was moved, emptied, or is not mounted. */
export class EmptyKeyStoreError extends SigningKeysError {
  constructor() {
    super('the key store is empty; put the keys back, or restart to make new ones')
  }
}
