// The report of a test: its requests, their answers, and whether they are as expected. Any other answer is shown as
// unexpected, in red, never as a success.

import { find, make, shorten } from './dom.ts'

/** The result of a step. `through`: an attacker succeeds, as expected. */
export type Kind = 'ok' | 'refused' | 'through'

/** One request of a test, its answer, and the expected answer. */
export interface Step {
  readonly title: string
  /** The whole request. Its tokens are shortened for display. */
  readonly request: string
  readonly status: number
  readonly code: string | null
  /** The answer that the test expects. */
  readonly expected: { readonly status: number; readonly code?: string; readonly kind: Kind }
  /** A sentence that is shown when the answer is as expected. */
  readonly says: string
  /** Further lines, as pairs of a name and a text. */
  readonly notes?: readonly (readonly [name: string, text: string])[]
}

/** The outcome of a whole test. */
export type Outcome = 'works' | 'held' | 'limit' | 'unexpected'

/** Adds lines to the card of a test. */
export interface Report {
  step(step: Step): void
  /** Shows what the test waits for, until the next step. */
  wait(text: string): void
}

const labels: Readonly<Record<Outcome, string>> = {
  works: 'Works',
  held: 'Attack fails',
  limit: 'Mind the limit',
  unexpected: 'Unexpected',
}

/** Runs a test and shows its steps and outcome in its card. Never rejects. */
export async function runInCard(id: string, test: (report: Report) => Promise<void>): Promise<Outcome> {
  const card = find(id)
  const button = card.querySelector('button')
  const result = card.querySelector('.result')
  const state = card.querySelector<HTMLElement>('.state')
  if (!button || !result || !state) throw new Error(`#${id} is no card`)
  button.setAttribute('aria-disabled', 'true')
  delete card.dataset.outcome
  state.textContent = 'Running'
  result.replaceChildren()
  const kinds: (Kind | 'bad')[] = []
  const waiting = make('p', { class: 'waiting', 'aria-live': 'off' })
  const report: Report = {
    step(step) {
      waiting.remove()
      const isExpected = step.status === step.expected.status && step.code === (step.expected.code ?? null)
      kinds.push(isExpected ? step.expected.kind : 'bad')
      result.append(renderStep(step, isExpected))
    },
    wait(text) {
      waiting.textContent = text
      if (!waiting.isConnected) result.append(waiting)
    },
  }
  try {
    await test(report)
  } catch (error) {
    kinds.push('bad')
    result.append(make('p', { class: 'waiting' }, `It broke off: ${(error as Error).message}`))
  }
  waiting.remove()
  const outcome = summarize(kinds)
  card.dataset.outcome = outcome
  state.textContent = labels[outcome]
  button.removeAttribute('aria-disabled')
  button.textContent = 'Run again'
  return outcome
}

function summarize(kinds: readonly (Kind | 'bad')[]): Outcome {
  if (kinds.length === 0 || kinds.includes('bad')) return 'unexpected'
  if (kinds.includes('through')) return 'limit'
  return kinds.includes('refused') ? 'held' : 'works'
}

function renderStep(step: Step, isExpected: boolean): HTMLElement {
  const { title, request, status, code, expected, says, notes = [] } = step
  const kind = isExpected ? expected.kind : 'bad'
  const wanted = `${expected.status} ${expected.code ?? ''}`.trim()
  const text = isExpected ? says : `That is not what should happen: ${wanted} was expected.`
  return make(
    'div',
    { class: 'step', 'data-status': String(status), 'data-code': code ?? '', 'data-kind': kind },
    make('h5', {}, title),
    renderRequest(request),
    ...notes.map(([name, note]) => make('p', { class: 'note' }, make('b', {}, `${name} `), note)),
    make(
      'p',
      { class: 'verdict' },
      make('span', { class: 'chip', 'data-kind': kind }, chipText(step)),
      ` ${text}`,
    ),
  )
}

function chipText({ status, code }: Step): string {
  return status === 0 ? (code ?? 'no answer') : `${status}${code ? ` ${code}` : ' OK'}`
}

function renderRequest(request: string): HTMLElement {
  const shown = make('pre', {}, make('code', {}, shorten(request)))
  if (!request.startsWith('curl ')) return shown
  const copy = make('button', { type: 'button', class: 'copy' }, 'Copy')
  copy.setAttribute('aria-label', 'Copy this command with the whole token')
  copy.addEventListener('click', async () => {
    const isCopied = await navigator.clipboard.writeText(request).then(
      () => true,
      () => false,
    )
    copy.textContent = isCopied ? 'Copied' : 'Not allowed'
  })
  return make('div', { class: 'command' }, shown, copy)
}
