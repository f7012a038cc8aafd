// The package export "claimgate/errors": every error class that the package throws. Loads nothing else, so it can be
// imported anywhere.

export { ClaimError, type ClaimErrorCode, claimErrorCodes } from './claims/errors.ts'
export { ClaimRequestError, type ClaimRequestErrorCode } from './client/backend/error.ts'
export {
  DataClientError,
  type DataClientErrorCode,
  type DataClientErrorInit,
  type Problem,
} from './client/browser/error.ts'
export { ConfigError, type ConfigErrorCode, type ConfigProblem } from './config/errors.ts'
export { StorageError, type StorageErrorCode } from './storage/errors.ts'
