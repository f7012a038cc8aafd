// The error of every storage adapter. The service logs it and answers with status 503.

/** The database failed. `cause` is the driver's error. The message contains no data of a record. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
  }
}
