// What the types of the error classes must accept or reject. Compiled and never run, like doors.ts.

import {
  ClaimError,
  type ClaimErrorCode,
  ClaimRequestError,
  type ClaimRequestErrorCode,
  ConfigError,
  type ConfigErrorCode,
  DataClientError,
  type DataClientErrorCode,
  StorageError,
  type StorageErrorCode,
} from '../../src/errors.ts'

const thrown: unknown = undefined

// The classes are values, and each has a code.
if (thrown instanceof ClaimError) thrown.code satisfies ClaimErrorCode
if (thrown instanceof ConfigError) thrown.code satisfies ConfigErrorCode
if (thrown instanceof StorageError) thrown.code satisfies StorageErrorCode
if (thrown instanceof ClaimRequestError) thrown.code satisfies ClaimRequestErrorCode
if (thrown instanceof DataClientError) thrown.code satisfies DataClientErrorCode

// Codes that are ours are a closed union: a comparison with a misspelt one is an error.
declare const ours: ClaimError | ConfigError | StorageError
if (ours.code === 'token_expired' || ours.code === 'invalid_configuration' || ours.code === 'damaged') {
  // @ts-expect-error: no such code
  void (ours.code === 'token_expried')
}
declare const config: ConfigErrorCode
// @ts-expect-error: no such code
void (config === 'wrong')
declare const storage: StorageErrorCode
// @ts-expect-error: no such code
void (storage === 'wrong')

// Codes of other servers are open.
declare const theirs: ClaimRequestError | DataClientError
void (theirs.code === 'a_code_of_another_server')
const known: ClaimRequestErrorCode & DataClientErrorCode = 'rate_limited'
void known
