// The metrics of the service, in Prometheus' text format. Labels are codes and names from the source, never values from
// requests. The label `door` is the name of an issuing endpoint.

import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type ClaimErrorCode, codes } from '../claims/codes.ts'

/** The metrics of one service. Each instance has its own registry, so that tests do not share counts. */
export interface Metrics {
  /** Makes the counts of an issuing endpoint visible with 0, so that a first event is an increase. */
  openEndpoint(endpoint: string): void
  countIssued(endpoint: string): void
  countVerification(outcome: 'allow' | 'deny' | 'would_block', code: string): void
  /** A refusal of an issuing endpoint. */
  countRefused(endpoint: string, code: string): void
  /** A browser's request to an issuing endpoint. */
  countSecretInBrowser(endpoint: string): void
  /** A revocation by a customer that was refused because the list is full. */
  countRevocationsFull(): void
  /** A request to `/admin` or `/metrics` with no admin token, or a wrong one. */
  countAdminRefused(): void
  /** One answered request; `seconds` from the start of the route to its answer. */
  observeRequest(route: string, status: number, seconds: number): void
  /** The outcome of a readiness check. */
  setUp(check: string, isUp: boolean): void
  /** Registers a gauge for the age of a copy in memory. `ageSeconds` returns undefined while there is no copy. */
  watchAge(copy: string, ageSeconds: () => number | undefined): void
  /** Registers the count of log lines that were lost. `count` returns it, and it never falls. */
  watchLinesLost(count: () => number): void
  /** Sums over all endpoints since the process began. */
  readTotals(): Promise<Totals>
  /** All metrics in the text exposition format, version 0.0.4. */
  render(): Promise<string>
}

/** Sums over all endpoints of this process. */
export interface Totals {
  readonly issued: number
  /** Requests that the verifier allowed. */
  readonly verified: number
  /** Refusals of the issuing endpoints and of the verifier, by code. */
  readonly refused: Readonly<Record<string, number>>
  /** Requests that were allowed only because of report mode, by code. */
  readonly wouldBlock: Readonly<Record<string, number>>
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** The codes from this one on are those of the checks that report mode only reports. */
const FIRST_REPORTED: ClaimErrorCode = 'origin_required'

/** Creates metrics; all counts begin at zero. */
export function createMetrics(): Metrics {
  const registers = [new Registry()]
  const issued = new Counter({
    name: 'claimgate_tokens_issued_total',
    help: 'Tokens issued, by endpoint.',
    labelNames: ['door'],
    registers,
  })
  const verifications = new Counter({
    name: 'claimgate_verifications_total',
    help: 'Requests that the verifier decided, by outcome and code.',
    labelNames: ['outcome', 'code'],
    registers,
  })
  const secrets = new Counter({
    name: 'claimgate_secret_in_browser_total',
    help: 'Requests from a browser to an issuing endpoint, by endpoint.',
    labelNames: ['door'],
    registers,
  })
  const revocationsFull = new Counter({
    name: 'claimgate_revocations_full_total',
    help: "Revocations by customers that were refused because all customers' revocations together reached their limit.",
    registers,
  })
  // Each series exists from the start, so that its first event is an increase.
  verifications.inc({ outcome: 'allow', code: '' }, 0)
  for (const code of codes) verifications.inc({ outcome: 'deny', code }, 0)
  for (const code of codes.slice(codes.indexOf(FIRST_REPORTED))) {
    verifications.inc({ outcome: 'would_block', code }, 0)
  }
  const refusals = new Counter({
    name: 'claimgate_refusals_total',
    help: 'Refusals of issuing endpoints, by endpoint and code.',
    labelNames: ['door', 'code'],
    registers,
  })
  const adminRefusals = new Counter({
    name: 'claimgate_admin_refused_total',
    help: 'Requests with no admin token, or a wrong one, to paths that require it.',
    registers,
  })
  const durations = new Histogram({
    name: 'claimgate_request_duration_seconds',
    help: 'Time from arrival to answer, by route and status.',
    labelNames: ['route', 'status'],
    buckets: SECONDS,
    registers,
  })
  const up = new Gauge({
    name: 'claimgate_dependency_up',
    help: '1 when the last readiness check of a dependency succeeded, else 0.',
    labelNames: ['check'],
    registers,
  })
  const ages = new Map<string, () => number | undefined>()
  new Gauge({
    name: 'claimgate_staleness_seconds',
    help: 'Age of a copy in memory, by the name of what was copied.',
    labelNames: ['copy'],
    registers,
    collect() {
      for (const [copy, ageSeconds] of ages) {
        const age = ageSeconds()
        if (age !== undefined) this.set({ copy }, age)
      }
    },
  })
  // prom-client hashes the labels on each call. A cached series skips that, for the counts of every request.
  const issuedBy = cacheSeries((endpoint) => issued.labels(endpoint))
  const verified = cacheSeries((outcome, code) => verifications.labels(outcome, code))
  const durationOf = cacheSeries((route, status) => durations.labels(route, status))
  return {
    openEndpoint(endpoint) {
      issued.inc({ door: endpoint }, 0)
      secrets.inc({ door: endpoint }, 0)
    },
    countIssued: (endpoint) => issuedBy(endpoint, '').inc(),
    countVerification: (outcome, code) => verified(outcome, code).inc(),
    countRefused: (endpoint, code) => refusals.inc({ door: endpoint, code }),
    countSecretInBrowser: (endpoint) => secrets.inc({ door: endpoint }),
    countRevocationsFull: () => revocationsFull.inc(),
    countAdminRefused: () => adminRefusals.inc(),
    observeRequest: (route, status, seconds) => durationOf(route, String(status)).observe(seconds),
    setUp: (check, isUp) => up.set({ check }, isUp ? 1 : 0),
    watchAge: (copy, ageSeconds) => void ages.set(copy, ageSeconds),
    watchLinesLost(count) {
      new Counter({
        name: 'claimgate_log_lines_lost_total',
        help: 'Log lines that were lost, because stdout was not read, closed or full.',
        registers,
        collect() {
          this.reset()
          this.inc(count())
        },
      })
    },
    readTotals: async () => {
      const decided = (await verifications.get()).values
      const denied = decided.filter(({ labels }) => labels.outcome === 'deny')
      return {
        issued: sumOf((await issued.get()).values),
        verified: sumOf(decided.filter(({ labels }) => labels.outcome === 'allow')),
        refused: sumByCode([...(await refusals.get()).values, ...denied]),
        wouldBlock: sumByCode(decided.filter(({ labels }) => labels.outcome === 'would_block')),
      }
    },
    render: () => (registers[0] as Registry).metrics(),
  }
}

interface Sample {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number | undefined>>
}

function sumOf(samples: readonly Sample[]): number {
  return samples.reduce((sum, { value }) => sum + value, 0)
}

function sumByCode(samples: readonly Sample[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const { labels, value } of samples) {
    if (value > 0) sums[String(labels.code)] = (sums[String(labels.code)] ?? 0) + value
  }
  return sums
}

/** Caches the series of each pair of labels. Unbounded, because codes and names are few. */
function cacheSeries<T>(find: (first: string, second: string) => T): (first: string, second: string) => T {
  const cached = new Map<string, T>()
  return (first, second) => {
    const key = `${first} ${second}`
    const known = cached.get(key)
    if (known !== undefined) return known
    const series = find(first, second)
    cached.set(key, series)
    return series
  }
}
