// Turns the setups into options of createVerifier and of the middlewares.

import type { VerifierOptions } from '../../../src/verify/verifier.ts'
import { AUDIENCE, ISSUER, PARTNER, type Setup, SITE, setups } from '../cases.ts'
import type { KeyOption } from '../mint.ts'

/** The allowed origins of setups that do not give their own. */
const ALLOWED = [SITE, PARTNER]

const boom = (): never => {
  throw new Error('boom')
}
const functions = { no: () => false, revoked: () => true, throws: boom }

export function verifierOptions(
  { authorize, revocation, allowedOrigins: _, ...setup }: Setup,
  keys: KeyOption,
): VerifierOptions {
  return {
    issuer: ISSUER,
    audience: AUDIENCE,
    ...keys,
    ...setup,
    ...(authorize && { authorize: functions[authorize] }),
    ...(revocation && { revocation: functions[revocation] }),
  }
}

/** Creates one value for each setup, and returns them by the name of their setup. */
export function forEachSetup<T>(make: (setup: Setup) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(setups).map(([name, setup]) => [name, make(setup)]))
}

/** Creates one middleware for each setup, and returns them by the name of their setup. */
export function createGuards<T>(
  keys: KeyOption,
  create: (options: VerifierOptions & { readonly allowedOrigins: readonly string[] | '*' }) => T,
): Readonly<Record<string, T>> {
  return forEachSetup((setup) =>
    create({ ...verifierOptions(setup, keys), allowedOrigins: setup.allowedOrigins ?? ALLOWED }),
  )
}
