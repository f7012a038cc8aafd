// The commands that README and docs show: each exists, with the options that it is shown with.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createMachine } from './run.ts'

const ROOT = join(import.meta.dirname, '../..')
const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)]

/** Every command in inline code and in shell blocks: the page, and the words after `claimgate`. */
const commands = PAGES.flatMap((page) => {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const inline = text.replace(/^```.*?^```$/gms, '').matchAll(/`(?:npx )?claimgate ([^`]+)`/g)
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block).join('')
  const pasted = blocks.matchAll(/^(?:npx )?claimgate ([a-z-].*)$/gm)
  return [...inline, ...pasted].map(([, words = '']) => ({ page, words }))
})

test('the commands of README and docs exist, with every option that they are shown with', async () => {
  expect(commands.length).toBeGreaterThan(20)
  const unknown: string[] = []
  for (const { page, words } of commands) if (!(await isKnown(words))) unknown.push(`${page}: ${words}`)
  expect(unknown).toEqual([])
})

const machine = createMachine()

/** Whether the help of the command that the first words name shows every option among the words. */
async function isKnown(text: string): Promise<boolean> {
  const words = text.replace(/"[^"]*"|'[^']*'/g, 'x').split(/\s+/)
  const end = words.findIndex((word) => !/^[a-z]+$/.test(word))
  const named = words.slice(0, end < 0 ? undefined : end)
  const { code, stdout } = await machine.run([...named, '--help'])
  const isCommand = stdout.startsWith(`Usage: claimgate ${named.map((name) => `${name} `).join('')}`)
  const options = words.filter((word) => /^--?[a-z]/i.test(word) && word !== '--help')
  // Help breaks lines, but not within the name of an option.
  return code === 0 && isCommand && options.every((option) => new RegExp(`[ ,]${option}[ ,\n]`).test(stdout))
}
