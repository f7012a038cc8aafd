// Starts the page of the shop: the panel of its token, the tests, and the API's log.

import { listAttacks } from './attacks.ts'
import { find, make } from './dom.ts'
import { followLog } from './log.ts'
import { showFailure, showToken, startPanel } from './panel.ts'
import { type Outcome, type Report, runInCard } from './report.ts'
import { listWorks } from './works.ts'
import { openWorld } from './world.ts'

const outcomes = new Map<string, Outcome>()
const running = new Map<string, Promise<void>>()

start().catch((error: Error) => showFailure(error.message))

async function start(): Promise<void> {
  const world = await openWorld(showToken)
  startPanel()
  void followLog()
  const tests = { ...listWorks(world), ...listAttacks(world) }
  for (const [id, test] of Object.entries(tests)) addControls(id, () => run(id, test))

  const all = find<HTMLButtonElement>('run-all')
  all.addEventListener('click', async () => {
    if (all.getAttribute('aria-disabled')) return
    all.setAttribute('aria-disabled', 'true')
    outcomes.clear()
    // The ten seconds of this test pass while the others run.
    const waiting = tests.late ? run('late', tests.late) : undefined
    for (const [id, test] of Object.entries(tests)) if (id !== 'late') await run(id, test)
    await waiting
    all.removeAttribute('aria-disabled')
  })
  document.body.dataset.ready = 'true'

  /** Runs a test, unless it is running already. */
  function run(id: string, test: (report: Report) => Promise<void>): Promise<void> {
    const known = running.get(id)
    if (known) return known
    const work = runInCard(id, test).then((outcome) => {
      running.delete(id)
      outcomes.set(id, outcome)
      sumUp(Object.keys(tests).length)
    })
    running.set(id, work)
    return work
  }
}

/** Adds a button, a state and a result to a card. */
function addControls(id: string, run: () => void): void {
  const card = find(id)
  const heading = card.querySelector('h4')
  if (!heading) throw new Error(`#${id} is no card`)
  heading.id = `${id}-title`
  card.setAttribute('aria-labelledby', heading.id)
  const button = make('button', { type: 'button', id: `${id}-run` }, 'Run')
  button.setAttribute('aria-labelledby', `${button.id} ${heading.id}`)
  button.addEventListener('click', run)
  const head = make('div', { class: 'card-head' })
  heading.before(head)
  head.append(heading, make('span', { class: 'state', role: 'status' }), button)
  card.append(make('div', { class: 'result', 'aria-live': 'polite' }))
}

function sumUp(total: number): void {
  const unexpected = [...outcomes.values()].filter((outcome) => outcome === 'unexpected').length
  const ending = unexpected === 0 ? 'all as they should be' : `${unexpected} not as expected`
  find('summary').textContent = `${outcomes.size} of ${total} tests have run, ${ending}.`
}
