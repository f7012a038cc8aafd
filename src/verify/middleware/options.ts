// The options that both middlewares add to those of a verifier: CORS.

import { LRUCache } from 'lru-cache'
import { checkAllowedOrigins } from '../../claims/input/options.ts'
import { matchOrigin } from '../../claims/origin-pattern.ts'
import { isTextList } from '../../lib/options.ts'
import { after, type MaybePromise } from '../../lib/result.ts'
import { callSafely } from '../options/callbacks.ts'
import { type CheckedOptions, checkOptions, verifierNames } from '../options/check.ts'
import type { VerifierOptions } from '../options/options.ts'
import { type Cors, createCors } from './cors.ts'

/**
 * The origins whose pages may read answers: a list of origins and patterns like `https://*.example.com` and
 * `http://localhost:*`; `*` for all; or a function, which may return any thenable. If the function fails or returns
 * anything but `true`, the origin is not allowed.
 */
export type AllowedOrigins = readonly string[] | '*' | ((origin: string) => boolean | PromiseLike<boolean>)

/** What browsers may do from other origins (CORS, Fetch section 3.2). Cookies are never allowed. */
export interface CorsOptions {
  /** Origins whose pages may read answers. */
  readonly allowedOrigins: AllowedOrigins
  /** Request headers to allow in addition to `Authorization`, `Content-Type`, `DPoP` and `X-Client-Token`; default none. */
  readonly allowedHeaders?: readonly string[]
}

/** Either CORS with its allowed origins, or `cors: false` when something else sets the CORS headers. */
export type CorsChoice =
  | (CorsOptions & { readonly cors?: true })
  | { readonly cors: false; readonly allowedOrigins?: never; readonly allowedHeaders?: never }

/** The options of a verifier, and CORS. */
export type MiddlewareOptions = VerifierOptions & CorsChoice

/** The name of every option of a middleware. */
export const middlewareNames: Readonly<Record<keyof MiddlewareOptions, true>> = {
  ...verifierNames,
  cors: true,
  allowedOrigins: true,
  allowedHeaders: true,
}

/** The name of every option of CORS alone. */
export const corsNames: Readonly<Record<keyof CorsOptions, true>> = {
  allowedOrigins: true,
  allowedHeaders: true,
}

/** A middleware's options after the checks. */
export interface CheckedMiddleware {
  readonly verifier: CheckedOptions
  /** Undefined when the option `cors` is false. */
  readonly cors: Cors | undefined
}

const MAX_REMEMBERED = 1000
const MAX_REMEMBERED_LENGTH = 300
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Checks the options of a middleware; `names` are all allowed names. Throws a TypeError that names the option. */
export function checkMiddleware(
  options: MiddlewareOptions,
  names: Readonly<Record<string, true>> = middlewareNames,
): CheckedMiddleware {
  const verifier = checkOptions(options, names)
  return { verifier, cors: checkCorsChoice(options) }
}

function checkCorsChoice(options: CorsChoice): Cors | undefined {
  if (options.cors === false) {
    const useless = (['allowedOrigins', 'allowedHeaders'] as const).find(
      (name) => options[name] !== undefined,
    )
    if (useless !== undefined) throw new TypeError(`${useless}: has no effect with cors: false`)
    return undefined
  }
  if (options.cors !== undefined && options.cors !== true) throw new TypeError('cors: must be true or false')
  return checkCors(options)
}

/** Checks the options of CORS and creates it from them. Throws a TypeError that names the option. */
export function checkCors({ allowedOrigins, allowedHeaders = [] }: CorsOptions): Cors {
  if (!isTextList(allowedHeaders) || !allowedHeaders.every((name) => HEADER_NAME.test(name))) {
    throw new TypeError('allowedHeaders: must be a list of header names')
  }
  return createCors({ isAllowed: createIsAllowed(allowedOrigins), allowedHeaders })
}

function createIsAllowed(allowed: AllowedOrigins): (origin: string) => MaybePromise<boolean> {
  if (typeof allowed === 'function') {
    return (origin) =>
      after(
        callSafely(() => allowed(origin), false),
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
