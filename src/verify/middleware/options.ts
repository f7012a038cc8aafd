// The options that the middlewares for Hono, Node and Fastify add to those of a verifier: CORS.

import { LRUCache } from 'lru-cache'
import { checkAllowedOrigins, checkHeaderNames } from '../../claims/input/options.ts'
import { matchOrigin } from '../../claims/origin-pattern.ts'
import { checkNames } from '../../lib/options.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import { callSafely } from '../options/callbacks.ts'
import { checkOptions, verifierNames } from '../options/check.ts'
import { type TellFault, thrownBy } from '../options/faults.ts'
import type { VerifierOptions } from '../options/options.ts'
import { createRequestVerifier, findShared } from '../request-verifier.ts'
import type { Verifier } from '../verifier.ts'
import type { Guard } from './admit.ts'
import { type Cors, createCors } from './cors.ts'

/**
 * The origins whose pages may read answers: a list of origins and patterns like `https://*.example.com` and
 * `http://localhost:*`; `*` for all; or a function, which may return any thenable. If the function fails or returns
 * anything but `true`, the origin is not allowed.
 */
export type AllowedOrigins = readonly string[] | '*' | ((origin: string) => boolean | PromiseLike<boolean>)

/** What browsers may do from other origins (CORS, Fetch section 3.2). Cookies are never allowed. */
export interface CorsOptions {
  /** Origins whose pages may read answers; default `*`. */
  readonly allowedOrigins?: AllowedOrigins
  /**
   * Request headers to allow in addition to `Authorization`, `Content-Type`, `DPoP`, `X-Client-Token` and those of tracing
   * (`traceparent`, `tracestate`, `baggage`, `sentry-trace`); default none.
   */
  readonly allowedHeaders?: readonly string[]
  /** Answer headers that pages may read in addition to those of claimgate and those that a handler exposes; default none. */
  readonly exposedHeaders?: readonly string[]
}

/**
 * Either CORS, or `cors: false` when something else sets the CORS headers. With `allowedOrigins` other than
 * `*`, a request of another origin is refused with `origin_not_allowed`, even if its token is right.
 */
export type CorsChoice =
  | (CorsOptions & { readonly cors?: true })
  | {
      readonly cors: false
      readonly allowedOrigins?: never
      readonly allowedHeaders?: never
      readonly exposedHeaders?: never
    }

/** A verifier made by `createVerifier`, which several middlewares may share. */
export interface SharedVerifier {
  /** It has all options of the verifier, so that none may be given here. */
  readonly verifier: Verifier
}

/** The options of a verifier, or a shared one; and CORS. */
export type MiddlewareOptions = ((VerifierOptions & { readonly verifier?: never }) | SharedVerifier) &
  CorsChoice

/** The name of every option of CORS alone. */
export const corsNames: Readonly<Record<keyof CorsOptions, true>> = {
  allowedOrigins: true,
  allowedHeaders: true,
  exposedHeaders: true,
}

const choiceNames: Readonly<Record<keyof CorsChoice, true>> = { ...corsNames, cors: true }

const MAX_REMEMBERED = 1000
const MAX_REMEMBERED_LENGTH = 300

/**
 * Checks the options of a middleware, and creates its parts from them. `ownNames` are the options that it adds. Throws a
 * TypeError that names the option.
 */
export function createGuard(
  options: MiddlewareOptions,
  ownNames: Readonly<Record<string, true>> = {},
): Guard {
  const names = { ...choiceNames, ...ownNames }
  const { verifier, issuer, mode } = openVerifier(options, names)
  return {
    verifier,
    issuer,
    mode,
    cors: checkCorsChoice(options, verifier.tellFault),
    refusesOrigins: options.cors !== false && !allowsEveryOrigin(options.allowedOrigins),
  }
}

function allowsEveryOrigin(allowed: AllowedOrigins = '*'): boolean {
  return typeof allowed !== 'function' && allowed.includes('*')
}

function openVerifier(
  options: MiddlewareOptions,
  names: Readonly<Record<string, true>>,
): Pick<Guard, 'verifier' | 'issuer' | 'mode'> {
  checkNames(options, { ...verifierNames, ...names, verifier: true })
  if (options.verifier === undefined) {
    const checked = checkOptions(options, { ...verifierNames, ...names, verifier: true })
    return { verifier: createRequestVerifier(checked), issuer: checked.policy.issuer, mode: checked.mode }
  }
  const shared = findShared(options.verifier)
  if (shared === undefined) throw new TypeError('verifier: must be a verifier made by createVerifier')
  const useless = Object.keys(verifierNames).find((name) => Object.hasOwn(options, name))
  if (useless !== undefined) {
    throw new TypeError(`${useless}: belongs to createVerifier, because the option verifier is given`)
  }
  return shared
}

function checkCorsChoice(options: CorsChoice, tellFault: TellFault): Cors | undefined {
  if (options.cors === false) {
    const useless = (['allowedOrigins', 'allowedHeaders', 'exposedHeaders'] as const).find(
      (name) => options[name] !== undefined,
    )
    if (useless !== undefined) throw new TypeError(`${useless}: has no effect with cors: false`)
    return undefined
  }
  if (options.cors !== undefined && options.cors !== true) throw new TypeError('cors: must be true or false')
  return checkCors(options, tellFault)
}

/**
 * Checks the options of CORS and creates it from them. Throws a TypeError that names the option.
 *
 * @param tellFault told when the function `allowedOrigins` throws
 */
export function checkCors(
  { allowedOrigins = '*', allowedHeaders, exposedHeaders }: CorsOptions,
  tellFault: TellFault,
): Cors {
  return createCors({
    isAllowed: createIsAllowed(allowedOrigins, tellFault),
    allowedHeaders: checkHeaderNames('allowedHeaders', allowedHeaders),
    exposedHeaders: checkHeaderNames('exposedHeaders', exposedHeaders),
  })
}

function createIsAllowed(
  allowed: AllowedOrigins,
  tellFault: TellFault,
): (origin: string, source?: object) => MaybePromise<boolean> {
  if (typeof allowed === 'function') {
    return (origin, source) =>
      after(
        callSafely(
          () => allowed(origin),
          (thrown) => {
            tellFault(thrownBy('allowedOrigins', thrown), source)
            return false
          },
        ),
        (isAllowed) => isAllowed === true,
      )
  }
  const patterns = checkAllowedOrigins(
    allowed === '*' ? ['*'] : allowed,
    'a list of origins, "*" or a function, unless cors is false',
  )
  // Matching patterns costs more than a look-up, and the pages that call an API come from few origins.
  const remembered = new LRUCache<string, boolean>({ max: MAX_REMEMBERED })
  return (origin) => {
    const known = remembered.get(origin)
    if (known !== undefined) return known
    const isAllowed = matchOrigin(patterns, origin)
    if (origin.length <= MAX_REMEMBERED_LENGTH) remembered.set(origin, isAllowed)
    return isAllowed
  }
}
