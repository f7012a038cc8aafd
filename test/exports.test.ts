// The names that each export of the packed package has. The package is installed in an empty project, as a customer does.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/** Every package export (door), with the names that it has at run time. */
const doors: Readonly<Record<string, readonly string[]>> = {
  claimgate: ['ConfigError', 'StorageError', 'createApp', 'parseConfig'],
  'claimgate/backend': [
    'ClaimRequestError',
    'createClaimClient',
    'createClientTokenEndpoint',
    'createNodeClientTokenEndpoint',
    'loadConfig',
  ],
  'claimgate/browser': ['DataClientError', 'autoInitializeDataClient', 'createTokenSource'],
  'claimgate/errors': [
    'ClaimError',
    'ClaimRequestError',
    'ConfigError',
    'DataClientError',
    'StorageError',
    'claimErrorCodes',
  ],
  'claimgate/fastify': ['claimAuth', 'requireScope'],
  'claimgate/hono': ['claimAuth', 'claimCors', 'requireScope'],
  'claimgate/node': ['claimAuth', 'claimsOf', 'requireScope'],
  'claimgate/server': ['ConfigError', 'StorageError', 'openService'],
  'claimgate/verify': ['ClaimError', 'createVerifier'],
}

const root = join(import.meta.dirname, '..')

/** The environment without the variables that npm sets for scripts. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))

describe('the packed package', () => {
  let project: string

  beforeAll(() => {
    project = mkdtempSync(join(tmpdir(), 'claimgate-exports-'))
    const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', project], {
      cwd: root,
      env,
      encoding: 'utf8',
    })
    const tarball = JSON.parse(packed.slice(packed.indexOf('[')))[0].filename
    writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }')
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball}`], {
      cwd: project,
      env,
      stdio: 'pipe',
    })
  })
  afterAll(() => rmSync(project, { recursive: true, force: true }))

  const evaluate = (code: string): string =>
    execFileSync(process.execPath, ['--input-type=module', '-e', code], { cwd: project, encoding: 'utf8' })

  test.each(Object.entries(doors))('%s exports exactly its names', (door, names) => {
    const found = JSON.parse(evaluate(`console.log(JSON.stringify(Object.keys(await import('${door}'))))`))
    expect(found.sort()).toEqual([...names].sort())
  })

  test('every export of package.json is listed here', () => {
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const listed = Object.keys(exports).filter((name) => name !== './package.json' && name !== './worker')
    expect(listed.map((name) => name.replace(/^\./, 'claimgate')).sort()).toEqual(Object.keys(doors).sort())
  })

  test('the command line runs from the package', () => {
    const version = execFileSync(process.execPath, ['node_modules/.bin/claimgate', '--version'], {
      cwd: project,
      encoding: 'utf8',
    })
    expect(version.trim()).toBe(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
  })
})
