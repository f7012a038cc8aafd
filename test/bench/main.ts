// `npm run bench`: requests per second of claimgate and of comparable servers, all on loopback on this machine.
// Names select benchmarks: `npm run bench -- verify`, `-- claims`; without a name both run. Rounds are interleaved (each
// contestant once, then each again), so that other load on the machine affects all of them. Compare the ratios; absolute
// numbers depend on the machine. Options: --json (a document on stdout), --quick (one short round, as a smoke test).
//
// Columns: "of hono" is requests per second divided by those of bare Hono, "of oidc" or "of fastify" by those of that server.
// "cpu us" is the server's own CPU time for a request. "of hono cpu" is the CPU time of bare Hono divided by the server's,
// which the load generator does not affect. A floor does the minimum: the difference between a floor and claimgate is policy,
// limits, metrics, bounds and CORS.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { killChildren } from './child.ts'
import { claims } from './claims.ts'
import { CONNECTIONS, type Round, type RoundLength, runRound } from './load.ts'
import { type Row, renderTable, type Series, summarize } from './report.ts'
import type { Contestant, Running, Suite } from './suite.ts'
import { verify } from './verify.ts'

const suites: Readonly<Record<string, Suite>> = { claims, verify }

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
})
/** With --quick a round has a number of requests, because on a busy machine a short time can pass without an answer. */
const length: RoundLength = options.quick ? { requests: 4 * CONNECTIONS } : { seconds: 4 }
const rounds = options.quick ? 1 : 5

const folder = mkdtempSync(join(tmpdir(), 'claimgate-bench-'))
process.on('exit', () => {
  killChildren()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

interface Outcome {
  readonly suite: Suite
  readonly rows: readonly Row[]
  readonly series: readonly Series[]
}

const outcomes: [name: string, Outcome][] = []
for (const name of positionals.length > 0 ? positionals : Object.keys(suites)) {
  const suite = suites[name]
  if (suite === undefined) {
    tell(`unknown benchmark ${name}; choose from ${Object.keys(suites).join(' and ')}`)
    process.exit(2)
  }
  outcomes.push([name, await runSuite(suite, join(folder, name))])
}

const setting = {
  node: process.version,
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  connections: CONNECTIONS,
  rounds,
  ...length,
}
if (options.json) {
  const documents = outcomes.map(([name, { rows, series }]) => [name, { contestants: rows, series }])
  console.log(JSON.stringify({ ...setting, ...Object.fromEntries(documents) }, null, 2))
} else {
  const tables = outcomes.map(([, { suite, rows }]) => `${suite.title}\n${renderTable(suite, rows)}`)
  console.log(
    `Node ${setting.node} on ${setting.cores} cores (${setting.processor}), ${CONNECTIONS} connections, ` +
      `medians of ${rounds} interleaved rounds of ${describeLength(length)}\n\n${tables.join('\n\n')}`,
  )
}

interface Entry {
  readonly contestant: Contestant
  readonly running: Running
  readonly counted: Round[]
}

async function runSuite(suite: Suite, dir: string): Promise<Outcome> {
  const entries: Entry[] = []
  for (const [index, contestant] of suite.contestants.entries()) {
    tell(`starting ${contestant.name}`)
    entries.push(await orExit(contestant, startContestant(contestant, join(dir, String(index)))))
  }

  // Round 0 is not counted: it lets the engine compile code and fills connection pools. A smoke test needs no such round.
  for (let round = options.quick ? 1 : 0; round <= rounds; round += 1) {
    for (const { contestant, running, counted } of entries) {
      const result = await orExit(contestant, runRound(running.child, running.request, length))
      if (round > 0) counted.push(result)
      const label = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`
      tell(`${label}: ${contestant.name}, ${result.perSecond.toFixed(0)} requests per second`)
    }
  }

  const series: Series[] = entries.map(({ contestant, running, counted }) => ({
    name: contestant.name,
    rounds: counted,
    memory: running.child.readMemory(),
  }))
  await Promise.all(entries.map(({ running }) => running.child.stop()))
  return { suite, rows: summarize(suite, series), series }
}

async function startContestant(contestant: Contestant, dir: string): Promise<Entry> {
  mkdirSync(dir, { recursive: true })
  const running = await contestant.start(dir)
  await contestant.check(running)
  return { contestant, running, counted: [] }
}

/** Awaits `work`. When it fails, writes the contestant's name and the error, and ends the process with exit code 1. */
async function orExit<T>(contestant: Contestant, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    tell(`${contestant.name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}

function describeLength(length: RoundLength): string {
  return 'seconds' in length ? `${length.seconds} s` : `${length.requests} requests`
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
