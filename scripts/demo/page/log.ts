// Shows the API's log, and updates it while the page is visible.

import { find, make, sleep } from './dom.ts'
import type { LogEntry } from './entry.ts'
import { api, site, thief } from './world.ts'

const EVERY_MS = 1000
const MAX_SHOWN = 14

let seen = 0

/** The entries of the log after this number, oldest first. */
export async function readDecisions(after: number): Promise<readonly LogEntry[]> {
  const response = await fetch(`${api}/decisions?after=${after}`)
  return (await response.json()).entries
}

/** The number of the latest entry; 0 when the log is empty. */
export async function latestDecision(): Promise<number> {
  return (await readDecisions(0)).at(-1)?.number ?? 0
}

/** Shows new entries every second. Never resolves. */
export async function followLog(): Promise<never> {
  for (;;) {
    if (!document.hidden) await readDecisions(seen).then(show, () => undefined)
    await sleep(EVERY_MS)
  }
}

function show(entries: readonly LogEntry[]): void {
  if (entries.length === 0) return
  seen = entries.at(-1)?.number ?? seen
  const list = find('log')
  list.querySelector('.none')?.remove()
  for (const entry of entries) list.prepend(render(entry))
  while (list.children.length > MAX_SHOWN) list.lastElementChild?.remove()
}

function render({ at, method, path, origin, isBrowser, outcome, code, status }: LogEntry): HTMLElement {
  const isPreflight = outcome === 'preflight'
  const from = origin === site ? 'this site' : origin === thief ? 'the thief’s site' : (origin ?? 'no origin')
  return make(
    'li',
    {},
    make('time', { datetime: at }, new Date(at).toLocaleTimeString()),
    make(
      'span',
      { class: 'asked' },
      make('code', {}, `${method} ${path}`),
      ` ${isBrowser ? 'by a browser' : 'by a script'}, origin: ${from}`,
    ),
    make(
      'span',
      { class: 'chip', 'data-kind': isPreflight ? 'none' : outcome === 'allow' ? 'ok' : 'refused' },
      isPreflight ? 'preflight' : `${status} ${code ?? 'allowed'}`,
    ),
  )
}
