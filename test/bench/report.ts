// From rounds to what is shown: medians, ratios within the same round, a table for people.

import { BARE, OIDC } from './contestants.ts'
import type { Round } from './load.ts'

/** One contestant's rounds, in order, and its memory after the last, MiB. */
export interface Series {
  readonly name: string
  readonly rounds: readonly Round[]
  readonly memory: number | null
}

/** One row. Latencies are milliseconds, `cpu` microseconds of the server for one request, `memory` MiB. */
export interface Row {
  readonly name: string
  /** Requests per second, of bare Hono's and of node-oidc-provider's in the same round. */
  readonly ofHono: number
  readonly ofOidc: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpu: number | null
  /** Bare Hono's processor time for one request, of this one's: the ratio without the load generator in it. */
  readonly ofHonoCpu: number | null
  readonly memory: number | null
}

/** Medians over the rounds; a ratio is the median of the rounds' ratios, since what disturbs a round disturbs all in it. */
export function summarize(all: readonly Series[]): readonly Row[] {
  const bare = roundsOf(all, BARE)
  const oidc = roundsOf(all, OIDC)
  return all.map(({ name, rounds, memory }) => ({
    name,
    ofHono: median(rounds.map((round, index) => round.perSecond / at(bare, index).perSecond)),
    ofOidc: median(rounds.map((round, index) => round.perSecond / at(oidc, index).perSecond)),
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

const COLUMNS: readonly (readonly [title: string, cell: (row: Row) => string])[] = [
  ['of hono', (row) => row.ofHono.toFixed(2)],
  ['of oidc', (row) => row.ofOidc.toFixed(2)],
  ['req/s', (row) => row.perSecond.toFixed(0)],
  ['p50 ms', (row) => row.p50.toFixed(2)],
  ['p99 ms', (row) => row.p99.toFixed(2)],
  ['cpu us', (row) => row.cpu?.toFixed(1) ?? '-'],
  ['of hono cpu', (row) => row.ofHonoCpu?.toFixed(2) ?? '-'],
  ['RSS MiB', (row) => row.memory?.toFixed(0) ?? '-'],
]

/** The rows as a table, one line each, with a line of titles. */
export function renderTable(rows: readonly Row[]): string {
  const lines = [['', ...COLUMNS.map(([title]) => title)]]
  for (const row of rows) lines.push([row.name, ...COLUMNS.map(([, cell]) => cell(row))])
  const widths =
    lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? []
  return lines
    .map((line) => line.map((cell, column) => pad(cell, column, widths[column] ?? 0)).join('  '))
    .join('\n')
}

function pad(cell: string, column: number, width: number): string {
  return column === 0 ? cell.padEnd(width) : cell.padStart(width)
}
