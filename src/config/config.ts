// Parses environment variables into one checked configuration, or throws an error that lists every problem. The caller
// passes the environment. Messages never contain a text that was given as a value, because it may be a secret.

import type { ForwardedHeader, TrustedProxies } from '../claims/client-ip.ts'
import { isLoopbackHost } from '../claims/input/plain-http.ts'
import type { SignatureAlgorithm } from '../claims/jws.ts'
import type { LogLevel } from '../http/log.ts'
import type { KeyTerms } from '../signing/key-plan.ts'
import { ConfigError, type ConfigProblem } from './errors.ts'
import {
  bracketHost,
  type DatabaseLocation,
  fields,
  MASTER_KEY_ADVICE,
  type MetricsAudience,
  type RateLimit,
  type Settings,
} from './fields.ts'
import { isServiceLink } from './service-links.ts'

export { ConfigError, type ConfigProblem }

/**
 * The checked configuration of the service. All times are seconds unless the name says otherwise. `null` means that the
 * variable is unset or `off`. Defaults: fields.ts.
 */
export interface Config {
  readonly host: string
  /** 0: the system chooses a free port, see `withPort`. */
  readonly port: number
  /** The `iss` claim: a URL, normalized by the URL standard, without trailing slash. */
  readonly issuer: string
  /** False when the issuer was derived from host and port. */
  readonly issuerGiven: boolean
  /** The `aud` claim: at least one entry, no repeats. Default: the issuer. */
  readonly audience: readonly string[]
  readonly alg: SignatureAlgorithm
  /** Lifetime of a token when the request names none. */
  readonly tokenTtl: number
  /** Longest lifetime that a request may ask for. */
  readonly maxTtl: number
  /** Allowed clock skew when the service checks tokens itself. */
  readonly clockTolerance: number
  /** How long a key signs before it is rotated; `null`: keys are rotated only on request. */
  readonly keyRotation: number | null
  /** How long a key is published before it may sign. */
  readonly keyPublish: number
  readonly database: DatabaseLocation
  readonly redisUrl: string | null
  readonly keysDir: string
  /** 32 bytes that encrypt the signing keys in a shared database. */
  readonly masterKey: Uint8Array | null
  readonly pepper: string | null
  readonly adminToken: string | null
  readonly trustedProxies: TrustedProxies
  readonly forwardedHeader: ForwardedHeader
  readonly querySecrets: boolean
  readonly rateLimit: RateLimit | null
  /** Number of server processes; `auto`: one per core. */
  readonly workers: number | 'auto'
  readonly metrics: MetricsAudience
  /** How long audit entries are kept, days. */
  readonly auditDays: number
  readonly logLevel: LogLevel
}

/** Variables that the customer's backend reads. The service ignores them, and does not report them as unknown. */
const BACKEND_NAMES: readonly string[] = [
  'CLAIMGATE_ACCOUNT_TOKEN',
  'CLAIMGATE_CLIENT_ID',
  'CLAIMGATE_CLIENT_SECRET',
  'CLAIMGATE_CLIENT_TOKEN_URI',
  'CLAIMGATE_ALLOWED_ORIGINS',
  'CLAIMGATE_API_URL',
]

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Parses environment variables into a checked configuration. An empty value counts as unset; unset variables get their
 * defaults, so that `parseConfig({})` is a service on `http://127.0.0.1:8787` with a SQLite file. Names that begin with
 * `CLAIMGATE_` and are unknown are problems, because they are probably typos; other unknown names are ignored, and so are
 * those that Kubernetes and Docker make (see `isServiceLink`).
 * Not checked: whether a host, file or database can be reached, and the bindings of a Worker.
 *
 * @throws {ConfigError} which lists every problem, not only the first.
 * @example
 * const config = parseConfig({ PORT: '8787', CLAIMGATE_ALG: 'EdDSA' })
 */
export function parseConfig(env: Environment): Config {
  const problems: ConfigProblem[] = []
  const settings: Partial<Record<keyof Settings, unknown>> = {}
  for (const name of Object.keys(fields) as (keyof Settings)[]) {
    const result = fields[name].schema.safeParse(env[name] === '' ? undefined : env[name])
    if (result.success) settings[name] = result.data
    else problems.push(describeProblem(name, result.error.issues[0]?.message ?? 'cannot be read'))
  }
  problems.push(...findConflicts(settings as Partial<Settings>), ...findUnknownNames(env))
  if (problems.length > 0) throw new ConfigError(problems)
  return toConfig(settings as Settings)
}

/**
 * The configuration with the port that the server listens on. If the issuer was derived from host and port, it gets the new
 * port, and so does an audience that is only this issuer.
 */
export function withPort(config: Config, port: number): Config {
  if (config.issuerGiven) return { ...config, port }
  const issuer = deriveIssuer(config.host, port)
  const isAudienceDerived = config.audience.length === 1 && config.audience[0] === config.issuer
  return { ...config, port, issuer, audience: isAudienceDerived ? [issuer] : config.audience }
}

/**
 * The algorithm of a configuration's signing keys, and their times in milliseconds. `lifetimeSeconds` is the longest
 * lifetime of any token that the keys have signed or may sign (`Storage.raiseLongestLifetime`).
 */
export function keyTerms(
  { alg, keyPublish, keyRotation }: Pick<Config, 'alg' | 'keyPublish' | 'keyRotation'>,
  lifetimeSeconds: number,
): KeyTerms & { readonly alg: SignatureAlgorithm } {
  return {
    alg,
    publishMs: keyPublish * 1000,
    rotationMs: keyRotation === null ? null : keyRotation * 1000,
    lifetimeMs: lifetimeSeconds * 1000,
  }
}

function toConfig(settings: Settings): Config {
  const issuer = settings.CLAIMGATE_ISSUER ?? deriveIssuer(settings.HOST, settings.PORT)
  return {
    host: settings.HOST,
    port: settings.PORT,
    issuer,
    issuerGiven: settings.CLAIMGATE_ISSUER !== null,
    audience: settings.CLAIMGATE_AUDIENCE ?? [issuer],
    alg: settings.CLAIMGATE_ALG,
    tokenTtl: settings.CLAIMGATE_TOKEN_TTL,
    maxTtl: settings.CLAIMGATE_MAX_TTL,
    clockTolerance: settings.CLAIMGATE_CLOCK_TOLERANCE,
    keyRotation: settings.CLAIMGATE_KEY_ROTATION,
    keyPublish: settings.CLAIMGATE_KEY_PUBLISH,
    database: settings.DATABASE_URL,
    redisUrl: settings.REDIS_URL,
    keysDir: settings.CLAIMGATE_KEYS_DIR,
    masterKey: settings.CLAIMGATE_MASTER_KEY,
    pepper: settings.CLAIMGATE_PEPPER,
    adminToken: settings.CLAIMGATE_ADMIN_TOKEN,
    trustedProxies: settings.CLAIMGATE_TRUSTED_PROXIES,
    forwardedHeader: settings.CLAIMGATE_FORWARDED_HEADER,
    querySecrets: settings.CLAIMGATE_QUERY_SECRETS,
    rateLimit: settings.CLAIMGATE_RATE_LIMIT,
    workers: settings.CLAIMGATE_WORKERS,
    metrics: settings.CLAIMGATE_METRICS,
    auditDays: settings.CLAIMGATE_AUDIT_DAYS,
    logLevel: settings.CLAIMGATE_LOG,
  }
}

function deriveIssuer(host: string, port: number): string {
  return new URL(`http://${bracketHost(host)}:${port}`).origin
}

function describeProblem(
  name: keyof Settings,
  problem: string,
  example = fields[name].example,
): ConfigProblem {
  return { variable: name, problem, example: `${name}=${example}` }
}

/** Most rotations within the longest lifetime of a token: a retired key stays published for that lifetime. */
const MAX_ROTATIONS_PER_LIFETIME = 40

/** Problems between two variables. A variable that could not be parsed is not checked here. */
function findConflicts(settings: Partial<Settings>): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const { HOST, DATABASE_URL, CLAIMGATE_WORKERS, CLAIMGATE_TOKEN_TTL, CLAIMGATE_MAX_TTL } = settings
  if (HOST !== undefined && settings.CLAIMGATE_ISSUER === null && !isOnThisMachine(HOST)) {
    problems.push(describeProblem('CLAIMGATE_ISSUER', 'is required when HOST is not a loopback address'))
  }
  if (
    CLAIMGATE_TOKEN_TTL !== undefined &&
    CLAIMGATE_MAX_TTL !== undefined &&
    CLAIMGATE_TOKEN_TTL > CLAIMGATE_MAX_TTL
  ) {
    const problem = `is ${CLAIMGATE_TOKEN_TTL}, above CLAIMGATE_MAX_TTL, which is ${CLAIMGATE_MAX_TTL}`
    problems.push(describeProblem('CLAIMGATE_TOKEN_TTL', problem, String(CLAIMGATE_MAX_TTL)))
  }
  const { CLAIMGATE_KEY_ROTATION } = settings
  if (
    CLAIMGATE_KEY_ROTATION &&
    CLAIMGATE_MAX_TTL !== undefined &&
    CLAIMGATE_KEY_ROTATION * MAX_ROTATIONS_PER_LIFETIME < CLAIMGATE_MAX_TTL
  ) {
    const problem = `is ${CLAIMGATE_KEY_ROTATION}, shorter than CLAIMGATE_MAX_TTL / ${MAX_ROTATIONS_PER_LIFETIME}, which is ${CLAIMGATE_MAX_TTL / MAX_ROTATIONS_PER_LIFETIME}: more keys would be published than verifiers may be asked to hold`
    const example = String(Math.ceil(CLAIMGATE_MAX_TTL / MAX_ROTATIONS_PER_LIFETIME))
    problems.push(describeProblem('CLAIMGATE_KEY_ROTATION', problem, example))
  }
  if (DATABASE_URL?.kind === 'postgres' && settings.CLAIMGATE_MASTER_KEY === null) {
    const problem = `is required with Postgres, to encrypt the signing keys kept there; ${MASTER_KEY_ADVICE}`
    problems.push(describeProblem('CLAIMGATE_MASTER_KEY', problem))
  }
  if (DATABASE_URL?.kind === 'memory' && CLAIMGATE_WORKERS !== undefined && CLAIMGATE_WORKERS !== 1) {
    problems.push(
      describeProblem('DATABASE_URL', 'memory: is not shared by the processes of CLAIMGATE_WORKERS'),
    )
  }
  return problems
}

function isOnThisMachine(host: string): boolean {
  return isLoopbackHost(new URL(`http://${bracketHost(host)}`).hostname)
}

function findUnknownNames(env: Environment): readonly ConfigProblem[] {
  const known = [...Object.keys(fields), ...BACKEND_NAMES]
  const isUnknown = (name: string): boolean => name.startsWith('CLAIMGATE_') && !known.includes(name)
  return Object.entries(env)
    .filter(([name, value = '']) => isUnknown(name) && value !== '' && !isServiceLink(name, value))
    .map(([name]) => describeUnknownName(name.replace(/\W/g, '?')))
}

function describeUnknownName(variable: string): ConfigProblem {
  const nearest = findNearest(variable)
  return nearest === undefined
    ? { variable, problem: 'is not a setting', example: `unset ${variable}` }
    : {
        variable,
        problem: `is not a setting; did you mean ${nearest}?`,
        example: describeProblem(nearest, '').example,
      }
}

/** The setting that a typo may mean: the one without the prefix, or the nearest at most three edits away. */
function findNearest(name: string): keyof Settings | undefined {
  const candidates = Object.keys(fields) as (keyof Settings)[]
  const bare = candidates.find((candidate) => `CLAIMGATE_${candidate}` === name)
  if (bare !== undefined) return bare
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: countEdits(name, candidate) }))
    .sort((a, b) => a.distance - b.distance)
  return ranked.find(({ distance }) => distance <= 3)?.candidate
}

/** The Levenshtein distance of two texts: how many characters must be inserted, deleted or replaced. */
function countEdits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [index, character] of [...from].entries()) {
    const next = [index + 1]
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (row[column - 1] ?? 0) + (character === to[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
