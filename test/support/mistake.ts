// The form of a beginner's mistake, and the check of the message that it gets.

import { expect, test } from 'vitest'

/** A mistake that is really made, and what its message must contain. */
export interface Mistake {
  readonly mistake: string
  /** Makes the mistake. Resolves to the whole message that a developer or operator sees: of an error, a log or an answer. */
  make(): Promise<string>
  /** The option, variable, header or file that is wrong. */
  readonly names: RegExp
  /** What to do about it. */
  readonly advises: RegExp
}

/** Makes each mistake in a test of its own. Resolves the promises of `make` one after the other. */
export function testMistakes(mistakes: readonly Mistake[]): void {
  test.each(mistakes)('$mistake', async ({ make, names, advises }) => {
    const message = await make()
    expect(message).toMatch(names)
    expect(message).toMatch(advises)
    expect(message.split('\n').length, message).toBeLessThan(12)
  })
}

/** The message of the error that a function throws, or that its promise rejects with. Fails when there is none. */
export async function messageOf(call: () => unknown): Promise<string> {
  try {
    await call()
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
    return (error as Error).message
  }
  throw new Error('the mistake caused no error')
}

/** The `detail` of a problem, and the faults of its parameters, as a developer reads them in the answer. */
export async function detailOf(answer: Response | Promise<Response>): Promise<string> {
  const response = await answer
  const { detail, errors = [] } = await response.json()
  expect(response.status).toBeGreaterThanOrEqual(400)
  return [detail, ...errors.map((fault: object) => Object.values(fault).join(': '))].join('; ')
}
