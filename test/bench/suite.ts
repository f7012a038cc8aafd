// What a contest is made of: contestants, each a server that is started and asked, and two of them to compare with.

import { type Child, startChild } from './child.ts'
import type { LoadRequest } from './load.ts'

/** A server that is up, and the request to load it with. */
export interface Running {
  readonly child: Child
  readonly request: LoadRequest
}

/** One row of the table. */
export interface Contestant {
  readonly name: string
  /** Starts it with `dir`, empty and its own, as working directory. */
  start(dir: string): Promise<Running>
  /** Asks it, looks at the answers and rejects when they are wrong, so that nobody is measured doing something else. */
  check(running: Running): Promise<unknown>
}

/** One contest. */
export interface Suite {
  readonly title: string
  /** In the order in which they run and are shown. */
  readonly contestants: readonly Contestant[]
  /** Name of the bare Hono among them. */
  readonly bare: string
  /** Name of the product among them, and the title of the column that compares with it. */
  readonly peer: { readonly name: string; readonly column: string }
}

/** Starts a script of this directory. */
export function startScript(file: string, kind: string, dir: string): Promise<Child> {
  return startChild([`${import.meta.dirname}/${file}`, kind], dir, plainEnvironment())
}

/** What a server needs of this process's environment, and nothing that would change its ways. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production' }
}
