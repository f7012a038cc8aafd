// The one error that adapters reject with: the service answers 503 to it and says so in its log.

/** A fault of the database itself. `cause` holds the driver's own error; the message names no data. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
  }
}
