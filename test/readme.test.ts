// README and docs/: links lead somewhere, also in the packed package, and tables name everything that exists.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { problems } from '../src/http/problem.ts'

const ROOT = join(import.meta.dirname, '..')
const PAGES = ['README.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)]

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')
/** The text without fenced blocks. */
const proseOf = (page: string): string => read(page).replace(/^```.*?^```$/gms, '')

/** The anchor that GitHub and npm give to a heading. */
const toAnchor = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .trim()
    .replaceAll(' ', '-')

const anchorsOf = (page: string): readonly string[] =>
  [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => toAnchor(heading))

interface Link {
  readonly page: string
  readonly target: string
  /** Path from the root of the repository. */
  readonly file: string
  readonly anchor: string | undefined
}

const links: readonly Link[] = PAGES.flatMap((page) =>
  [...proseOf(page).matchAll(/\]\(([^)]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^https?:/.test(target))
    .map((target) => {
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), path))
      return { page, target, file, anchor }
    }),
)

test('every link leads to a file, and to a heading if it names one', () => {
  expect(links.length).toBeGreaterThan(40)
  const broken = links.filter(
    ({ file, anchor }) =>
      !existsSync(join(ROOT, file)) || (anchor !== undefined && !anchorsOf(file).includes(anchor)),
  )
  expect(broken.map(({ page, target }) => `${page}: ${target}`)).toEqual([])
})

test('every page and every linked file is in the packed package', () => {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts']
  const [{ files }] = JSON.parse(execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }))
  const packed: readonly string[] = files.map(({ path }: { path: string }) => path)
  const needed = new Set([...PAGES, ...links.map(({ file }) => file)])
  // A link may lead to a folder.
  const isPacked = (file: string) => packed.some((path) => path === file || path.startsWith(`${file}/`))
  expect([...needed].filter((file) => !isPacked(file))).toEqual([])
})

test('README leads to every page', () => {
  const reached = links.filter(({ page }) => page === 'README.md').map(({ file }) => file)
  expect(PAGES.filter((page) => page !== 'README.md' && !reached.includes(page))).toEqual([])
})

test('README can be read in five minutes: at most 310 lines', () => {
  expect(read('README.md').split('\n').length - 1).toBeLessThanOrEqual(310)
})

test.each(readdirSync(join(ROOT, 'test/examples')))('README links to test/examples/%s', (file) => {
  expect(read('README.md')).toContain(`](test/examples/${file})`)
})

test('docs/settings.md describes every environment variable', () => {
  const fields = readFileSync(join(ROOT, 'src/config/fields.ts'), 'utf8')
  const names = [...fields.matchAll(/^ {2}([A-Z][A-Z_]+): \{/gm)].map(([, name]) => name as string)
  expect(names.length).toBeGreaterThan(20)
  for (const name of names) expect(read('docs/settings.md')).toContain(`\`${name}\``)
})

test('docs/errors.md lists every error code of the service with its status', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)]
  const listed = Object.fromEntries(rows.map(([, code, status]) => [code, Number(status)]))
  expect(listed).toEqual(
    Object.fromEntries(Object.entries(problems).map(([code, [status]]) => [code, status])),
  )
})

test('README names every dependency', () => {
  const { dependencies, peerDependencies } = JSON.parse(read('package.json'))
  const [, table = ''] = read('README.md').split('\nDependencies:\n')
  const named = Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => name !== 'fastify')
  expect(named.filter((name) => !table.includes(`\`${name}\``))).toEqual([])
})
