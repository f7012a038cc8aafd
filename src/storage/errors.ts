// The error of every storage adapter. The service logs it and answers with status 503.

/**
 * Why the database failed. `unavailable`: it cannot be reached, opened, read or written now, for example because it is
 * locked, read-only or its disk is full. `damaged`: the file or a record in it cannot be read as what it should be.
 * `incompatible`: it belongs to another version of claimgate, another application or another master key. `conflict`: a
 * record with this id exists, or one that it refers to is missing. `closed`: it was used after `close`.
 */
export type StorageErrorCode = 'unavailable' | 'damaged' | 'incompatible' | 'conflict' | 'closed'

/**
 * The database, or a folder of signing keys, failed. The message is one line for the operator, and contains no data of a
 * record. `cause` is the driver's error.
 *
 * @example
 * const service = await openService(process.env).catch((error: unknown) => {
 *   if (error instanceof StorageError && error.code === 'unavailable') return undefined
 *   throw error
 * })
 */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode

  constructor(message: string, cause?: unknown, code: StorageErrorCode = 'unavailable') {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
