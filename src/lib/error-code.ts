// Error codes of the operating system and of Node, such as `ENOENT`.

/** The `code` of an error; undefined when `error` is not an Error or its code is not a string. */
export function readErrorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
