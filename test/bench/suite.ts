// Types of a benchmark: its contestants, which are servers to start, check and measure, and the two of them that the others
// are compared with.

import { type Child, startChild } from './child.ts'
import type { LoadRequest } from './load.ts'

/** A started server, and the request to send to it repeatedly. */
export interface Running {
  readonly child: Child
  readonly request: LoadRequest
}

/** A server to measure, and its row in the table. */
export interface Contestant {
  readonly name: string
  /** Starts the server in `dir`, an empty folder of its own. */
  start(dir: string): Promise<Running>
  /** Sends requests and rejects when an answer is wrong, so that no wrong behaviour is measured. */
  check(running: Running): Promise<unknown>
}

/** One benchmark: the contestants, and the two they are compared with. */
export interface Suite {
  readonly title: string
  /** In the order of the rounds and of the table. */
  readonly contestants: readonly Contestant[]
  /** Name of the contestant that is bare Hono: it always sends the same answer. */
  readonly bare: string
  /** Name of the contestant to compare with, and the title of that column. */
  readonly peer: { readonly name: string; readonly column: string }
}

/** Starts a script of this folder in `dir`, with `kind` as its argument. */
export function startScript(file: string, kind: string, dir: string): Promise<Child> {
  return startChild([`${import.meta.dirname}/${file}`, kind], dir, plainEnvironment())
}

/** Only the variables of this process that a server needs, so that no other one changes its behaviour. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production' }
}
