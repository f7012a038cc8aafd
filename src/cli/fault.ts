// The error class of the command line, and the conversion of the service's refusals to it.

import { invalidParameters, type ParameterFault, type Problem } from '../http/problem.ts'
import type { Result } from '../lib/result.ts'

/** The error of a command that failed: its message says why and what to do next, and holds no secret. */
export class CliError extends Error {
  override readonly name = 'CliError'
  /** One of the service's codes where one fits, else `usage`, `cancelled` or `invalid_configuration`. */
  readonly code: string
  /** 1; 2 when the command line itself is wrong. */
  readonly exitCode: 1 | 2
  /** The faults of single options. Each has the parameter's name in the admin API. */
  readonly errors: readonly ParameterFault[] | undefined

  constructor(
    code: string,
    message: string,
    details: { readonly exitCode?: 1 | 2; readonly errors?: readonly ParameterFault[] } = {},
  ) {
    super(message)
    this.code = code
    this.exitCode = details.exitCode ?? 1
    this.errors = details.errors
  }
}

/** A problem of the service as an error of the command line. `hint` says what to do next. */
export function toCliError({ code, detail, errors }: Problem, hint?: string): CliError {
  return new CliError(code, hint === undefined ? detail : `${detail}; ${hint}`, errors && { errors })
}

/** The error for a wrong command line: code `usage`, exit code 2. */
export function usageError(message: string): CliError {
  return new CliError('usage', message, { exitCode: 2 })
}

/** The parsed input. Throws CliError with its faults when parsing failed. */
export function acceptInput<T>(input: Result<T, readonly ParameterFault[]>): T {
  if (!input.ok) throw toCliError(invalidParameters(input.reason))
  return input.value
}

/** The value of an operation. Throws CliError when it was refused; `hints` say what to do next, by code. */
export function acceptResult<T>(
  result: Result<T, Problem>,
  hints: Readonly<Partial<Record<Problem['code'], string>>>,
): T {
  if (!result.ok) throw toCliError(result.reason, hints[result.reason.code])
  return result.value
}
