// Summarizes rounds: medians, ratios within the same round, and a text table.

import type { Round } from './load.ts'
import type { Suite } from './suite.ts'

/** The rounds of one contestant, in order, and its memory after the last in MiB. */
export interface Series {
  readonly name: string
  readonly rounds: readonly Round[]
  readonly memory: number | null
}

/** One row: latencies in milliseconds, `cpu` in microseconds of the server for one request, `memory` in MiB. */
export interface Row {
  readonly name: string
  /** Requests per second as a ratio to bare Hono (`ofHono`) and to the peer (`ofPeer`) in the same round. */
  readonly ofHono: number
  readonly ofPeer: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpu: number | null
  /** CPU time of bare Hono for one request, divided by this contestant's. The load generator does not affect it. */
  readonly ofHonoCpu: number | null
  readonly memory: number | null
}

/** Medians over the rounds. A ratio is the median of the ratios per round, because other load affects a whole round. */
export function summarize(suite: Suite, all: readonly Series[]): readonly Row[] {
  const bare = roundsOf(all, suite.bare)
  const peer = roundsOf(all, suite.peer.name)
  return all.map(({ name, rounds, memory }) => ({
    name,
    ofHono: median(rounds.map((round, index) => round.perSecond / at(bare, index).perSecond)),
    ofPeer: median(rounds.map((round, index) => round.perSecond / at(peer, index).perSecond)),
    perSecond: median(rounds.map((round) => round.perSecond)),
    p50: median(rounds.map((round) => round.p50)),
    p99: median(rounds.map((round) => round.p99)),
    cpu: medianOrNull(rounds.map((round) => round.cpu)),
    ofHonoCpu: medianOrNull(rounds.map((round, index) => divide(at(bare, index).cpu, round.cpu))),
    memory,
  }))
}

function roundsOf(all: readonly Series[], name: string): readonly Round[] {
  return all.find((series) => series.name === name)?.rounds ?? []
}

function at(rounds: readonly Round[], index: number): Round {
  const round = rounds[index]
  if (round === undefined) throw new Error('a round is missing')
  return round
}

function divide(one: number | null, other: number | null): number | null {
  return one === null || other === null ? null : one / other
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2
}

function medianOrNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : median(known)
}

type Column = readonly [title: string, cell: (row: Row) => string]

const columnsOf = ({ peer }: Suite): readonly Column[] => [
  ['of hono', (row) => row.ofHono.toFixed(2)],
  [peer.column, (row) => row.ofPeer.toFixed(2)],
  ['req/s', (row) => row.perSecond.toFixed(0)],
  ['p50 ms', (row) => row.p50.toFixed(2)],
  ['p99 ms', (row) => row.p99.toFixed(2)],
  ['cpu us', (row) => row.cpu?.toFixed(1) ?? '-'],
  ['of hono cpu', (row) => row.ofHonoCpu?.toFixed(2) ?? '-'],
  ['RSS MiB', (row) => row.memory?.toFixed(0) ?? '-'],
]

/** The rows as a text table: a line of titles, then one line for each row. */
export function renderTable(suite: Suite, rows: readonly Row[]): string {
  const columns = columnsOf(suite)
  const lines = [['', ...columns.map(([title]) => title)]]
  for (const row of rows) lines.push([row.name, ...columns.map(([, cell]) => cell(row))])
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  return lines
    .map((line) => line.map((cell, column) => pad(cell, column, widths[column] ?? 0)).join('  '))
    .join('\n')
}

function pad(cell: string, column: number, width: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}
