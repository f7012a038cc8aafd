// Errors of signing keys. The service answers 503 to each.

/** No key may sign, or the stored keys are gone. The message contains no key material. */
export class SigningKeysError extends Error {
  override readonly name = 'SigningKeysError'
}

/** A store that held keys before is empty: its folder or table was moved, or is not mounted. */
export class EmptyKeyStoreError extends SigningKeysError {
  constructor() {
    super('the key store is empty; put the keys back, or restart to make new ones')
  }
}
