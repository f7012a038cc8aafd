// What the service counts, in Prometheus' text format. Labels are codes and route names, never values of requests.

import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Counters of a service. Each instance has a registry of its own. */
export interface Metrics {
  countIssued(door: string): void
  countVerification(outcome: 'allow' | 'deny' | 'would_block', code: string): void
  /** A refusal at a door to a token. */
  countRefused(door: string, code: string): void
  countSecretInBrowser(door: string): void
  /** A customer's revocation that was refused because the list is full. */
  countRevocationsFull(): void
  /** A request to `/admin` or the metrics without the right token. */
  countAdminRefused(): void
  /** `seconds` from arrival to answer. */
  observeRequest(route: string, status: number, seconds: number): void
  /** 1 while a dependency answers, 0 while it does not. */
  setUp(check: string, isUp: boolean): void
  /** Reports how old a copy in memory is, seconds; undefined: there is none yet. */
  watchAge(copy: string, ageSeconds: () => number | undefined): void
  /** What was counted since the process began. */
  readTotals(): Promise<Totals>
  /** Text exposition format 0.0.4. */
  render(): Promise<string>
}

/** Sums over doors, of this process. */
export interface Totals {
  readonly issued: number
  /** Requests that the verifier let pass. */
  readonly verified: number
  /** Refusals of the doors to a token and of the verifier, by code. */
  readonly refused: Readonly<Record<string, number>>
  /** Requests that report mode let pass, by code. */
  readonly wouldBlock: Readonly<Record<string, number>>
}

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** New metrics, all at zero. */
export function createMetrics(): Metrics {
  const registers = [new Registry()]
  const issued = new Counter({
    name: 'claimgate_tokens_issued_total',
    help: 'Tokens issued, by door.',
    labelNames: ['door'],
    registers,
  })
  const verifications = new Counter({
    name: 'claimgate_verifications_total',
    help: 'Requests judged by the verifier, by outcome and code.',
    labelNames: ['outcome', 'code'],
    registers,
  })
  const secrets = new Counter({
    name: 'claimgate_secret_in_browser_total',
    help: 'Requests to an issuing door that came from a browser, by door.',
    labelNames: ['door'],
    registers,
  })
  const revocationsFull = new Counter({
    name: 'claimgate_revocations_full_total',
    help: "Revocations by customers that were refused because all customers' revocations together reached their bound.",
    registers,
  })
  const refusals = new Counter({
    name: 'claimgate_refusals_total',
    help: 'Refusals at the doors to a token, by door and code.',
    labelNames: ['door', 'code'],
    registers,
  })
  const adminRefusals = new Counter({
    name: 'claimgate_admin_refused_total',
    help: 'Requests for the administrator that came without the right token.',
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
    help: 'Whether a dependency answered when it was last asked.',
    labelNames: ['check'],
    registers,
  })
  const ages = new Map<string, () => number | undefined>()
  new Gauge({
    name: 'claimgate_staleness_seconds',
    help: 'Age of what is in memory, by what it is a copy of.',
    labelNames: ['copy'],
    registers,
    collect() {
      for (const [copy, ageSeconds] of ages) {
        const age = ageSeconds()
        if (age !== undefined) this.set({ copy }, age)
      }
    },
  })
  // prom-client hashes its labels at each call; a series that is held costs an addition.
  const issuedBy = holdSeries((door) => issued.labels(door))
  const verified = holdSeries((outcome, code) => verifications.labels(outcome, code))
  const durationOf = holdSeries((route, status) => durations.labels(route, status))
  return {
    countIssued: (door) => issuedBy(door, '').inc(),
    countVerification: (outcome, code) => verified(outcome, code).inc(),
    countRefused: (door, code) => refusals.inc({ door, code }),
    countSecretInBrowser: (door) => secrets.inc({ door }),
    countRevocationsFull: () => revocationsFull.inc(),
    countAdminRefused: () => adminRefusals.inc(),
    observeRequest: (route, status, seconds) => durationOf(route, String(status)).observe(seconds),
    setUp: (check, isUp) => up.set({ check }, isUp ? 1 : 0),
    watchAge: (copy, ageSeconds) => void ages.set(copy, ageSeconds),
    readTotals: async () => {
      const judged = (await verifications.get()).values
      const denied = judged.filter(({ labels }) => labels.outcome === 'deny')
      return {
        issued: sumOf((await issued.get()).values),
        verified: sumOf(judged.filter(({ labels }) => labels.outcome === 'allow')),
        refused: sumByCode([...(await refusals.get()).values, ...denied]),
        wouldBlock: sumByCode(judged.filter(({ labels }) => labels.outcome === 'would_block')),
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
  for (const { labels, value } of samples)
    sums[String(labels.code)] = (sums[String(labels.code)] ?? 0) + value
  return sums
}

/** Remembers the series of each pair of labels. Labels are few: codes and route names. */
function holdSeries<T>(find: (first: string, second: string) => T): (first: string, second: string) => T {
  const held = new Map<string, T>()
  return (first, second) => {
    const key = `${first} ${second}`
    const known = held.get(key)
    if (known !== undefined) return known
    const series = find(first, second)
    held.set(key, series)
    return series
  }
}
