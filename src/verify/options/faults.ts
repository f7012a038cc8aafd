// Tells the developer of an API about faults that refuse requests, or weaken a check, without their doing: keys that cannot
// be fetched, a missing option, a function of theirs that threw. Each fault is told at most once a minute.

import { describeThrower, describeThrown } from '../../lib/thrown.ts'
import { requestIdOf } from '../request/id.ts'
import { callSafely } from './callbacks.ts'
import type { VerifierRules } from './options.ts'

/** A fault. `kind` and `subject` identify it: the same fault is not told again within a minute. */
export interface Fault {
  readonly kind: 'keys' | 'feed' | 'option' | 'function'
  /** The URL, option or function that the message names. */
  readonly subject: string
  readonly message: string
  /** What was thrown, if anything was. */
  readonly cause?: unknown
}

/** Tells a fault; `request` is the request object that caused it, absent when none did. Never throws. */
export type TellFault = (fault: Fault, request?: object) => void

const QUIET_MS = 60_000

/** Creates the function that tells faults to `onError`, or to `console.error` when it is undefined. */
export function createTellFault(onError: VerifierRules['onError']): TellFault {
  // Kinds and subjects are options and URLs of the configuration, so this map stays small.
  const toldAt = new Map<string, number>()
  return ({ kind, subject, message, cause }, request) => {
    const key = `${kind} ${subject}`
    const now = performance.now()
    if (now - (toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return
    toldAt.set(key, now)
    const error = new Error(message, cause === undefined ? undefined : { cause })
    const from = request === undefined ? {} : { requestId: requestIdOf(request) }
    // biome-ignore lint/suspicious/noConsole: the default of a library that has no logger; onError replaces it
    if (onError === undefined) console.error(formatFault(message, from.requestId))
    else void callSafely(() => onError(error, from), ignore)
  }
}

/** The fault of a developer's function that threw or rejected. */
export function thrownBy(name: string, cause: unknown): Fault {
  return {
    kind: 'function',
    subject: name,
    message: describeThrower(name, cause),
    cause,
  }
}

/** The fault of a document that cannot be fetched or used. `cause` is why, `advice` which option to check. */
export function unreadable(kind: 'keys' | 'feed', url: string, cause: unknown, advice: string): Fault {
  const what = kind === 'keys' ? 'the keys' : 'the revocations'
  const why = `${what} at ${withoutQuery(url)} cannot be read: ${describeThrown(cause)}`
  return { kind, subject: url, message: `${why}; ${advice}`, cause }
}

/** Whether a document is a web page, which a wrong URL often answers with. */
export function isHtml(text: string): boolean {
  return /^\s*</.test(text)
}

const ignore = (): undefined => undefined

function formatFault(message: string, requestId: string | undefined): string {
  return `claimgate: ${message}${requestId === undefined ? '' : ` (request ${requestId})`}`
}

/** A query may hold a secret. */
function withoutQuery(url: string): string {
  const end = url.search(/[?#]/)
  return end < 0 ? url : url.slice(0, end)
}
