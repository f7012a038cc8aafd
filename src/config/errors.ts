// The error of a configuration that cannot be used. A file of its own, so that "claimgate/errors" does not load the parser.

/** One problem with a variable. `example` is a line that would be accepted, or says how to set or remove the variable. */
export interface ConfigProblem {
  readonly variable: string
  readonly problem: string
  readonly example: string
}

/**
 * Why a configuration cannot be used. `invalid_configuration`: variables are missing, wrong, unknown, or contradict each
 * other. `unsupported_configuration`: every value is valid, and this version lacks what one of them asks for.
 */
export type ConfigErrorCode = 'invalid_configuration' | 'unsupported_configuration'

/**
 * Thrown by `parseConfig` when variables are missing, wrong or unknown, and by `openService` also when this version does not
 * support a setting. The message has one line per problem, with an example; it never contains a text that was given as a
 * value. `problems` has the same as objects.
 *
 * @example
 * try { parseConfig(process.env) } catch (error) {
 *   if (!(error instanceof ConfigError)) throw error
 *   for (const { variable, problem } of error.problems) console.error(variable, problem)
 * }
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code: ConfigErrorCode
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[], code: ConfigErrorCode = 'invalid_configuration') {
    super(problems.map((one) => `${one.variable}: ${one.problem} (example: ${one.example})`).join('\n'))
    this.code = code
    this.problems = problems
  }
}
