// The package export "claimgate/errors": every error class that the package throws. Loads nothing else, so it can be
// imported anywhere.

export * from './client/errors.ts'
export { ConfigError, type ConfigErrorCode, type ConfigProblem } from './config/errors.ts'
export { StorageError, type StorageErrorCode } from './storage/errors.ts'
