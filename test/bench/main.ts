// `npm run bench`: claims per second of the real server beside its peers, all on loopback on this machine.
// Rounds are interleaved (everyone once, then everyone again), so that what else the machine does hits all alike;
// absolute figures say little, ratios do. Options: --json (a document on stdout), --quick (one round of one second).
//
// How to read it: "of hono" is requests per second of bare Hono's; "cpu us" is the server's own processor time for a
// request, and "of hono cpu" the ratio of those, which the load generator beside it cannot flatter. The floors do
// the least that a claim can be: what lies between a floor and claimgate is authentication, policy, limits, metrics.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { killChildren } from './child.ts'
import { type Contestant, checkAnswer, contestants, type Running } from './contestants.ts'
import { CONNECTIONS, type Round, runRound } from './load.ts'
import { renderTable, type Series, summarize } from './report.ts'

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
})
const seconds = options.quick ? 1 : 4
const rounds = options.quick ? 1 : 5

const folder = mkdtempSync(join(tmpdir(), 'claimgate-bench-'))
process.on('exit', () => {
  killChildren()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})
process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

const field: Entry[] = []
for (const [index, contestant] of contestants.entries()) {
  tell(`starting ${contestant.name}`)
  const dir = join(folder, String(index))
  mkdirSync(dir)
  field.push(await blame(contestant, startContestant(contestant, dir)))
}

// Round 0 warms up: code is compiled, pools are filled. It is not counted.
for (let round = 0; round <= rounds; round += 1) {
  for (const { contestant, running, counted } of field) {
    const result = await blame(contestant, runRound(running.child, running.request, seconds))
    if (round > 0) counted.push(result)
    const label = round === 0 ? 'warm-up' : `round ${round} of ${rounds}`
    tell(`${label}: ${contestant.name}, ${result.perSecond.toFixed(0)} requests per second`)
  }
}

const series: Series[] = field.map(({ contestant, running, counted }) => ({
  name: contestant.name,
  rounds: counted,
  memory: running.child.readMemory(),
}))
const rows = summarize(series)
await Promise.all(field.map(({ running }) => running.child.stop()))

const setting = {
  node: process.version,
  processor: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  connections: CONNECTIONS,
  rounds,
  seconds,
}
if (options.json) {
  console.log(JSON.stringify({ ...setting, contestants: rows, series }, null, 2))
} else {
  console.log(
    `Node ${setting.node} on ${setting.cores} cores (${setting.processor}), ${CONNECTIONS} connections, ` +
      `medians of ${rounds} interleaved rounds of ${seconds} s\n\n${renderTable(rows)}`,
  )
}

interface Entry {
  readonly contestant: Contestant
  readonly running: Running
  readonly counted: Round[]
}

async function startContestant(contestant: Contestant, dir: string): Promise<Entry> {
  const running = await contestant.start(dir)
  await checkAnswer(contestant, running)
  return { contestant, running, counted: [] }
}

/** Ends the benchmark with exit code 1 and the contestant's name when `work` fails. */
async function blame<T>(contestant: Contestant, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    tell(`${contestant.name}: ${error instanceof Error ? error.message : String(error)}`)
    process.exit(1)
  }
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
