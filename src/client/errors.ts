// The package export "@claimgate/client/errors": what the two clients throw, and the codes of the API that their errors may
// carry.

export { ClaimError, type ClaimErrorCode, claimErrorCodes } from '../claims/errors.ts'
export { ClaimRequestError, type ClaimRequestErrorCode } from './backend/error.ts'
export {
  DataClientError,
  type DataClientErrorCode,
  type DataClientErrorInit,
  type Problem,
} from './browser/error.ts'
