// Compiles code against the packed declarations, with strict options and without skipLibCheck.

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { run, STRICT } from '../support/packed.ts'
import type { Project } from './project.ts'

const TSC = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc')
const resolutions = {
  nodenext: { module: 'NodeNext', moduleResolution: 'NodeNext' },
  bundler: { module: 'ESNext', moduleResolution: 'Bundler' },
}

/** Compiles files of the project. Returns the compiler's output, empty on success. On failure throws an error with it. */
export function compile(
  project: Project,
  files: readonly string[],
  options: object = resolutions.nodenext,
): string {
  const name = 'tsconfig.json'
  project.write(
    name,
    JSON.stringify({
      compilerOptions: { ...STRICT, allowImportingTsExtensions: true, ...options },
      files,
    }),
  )
  return run(process.execPath, [TSC, '-p', name], project.folder)
}

export function describeTypes(project: () => Project): void {
  describe('the packed types', () => {
    test.each(Object.entries(resolutions))('accept valid code and reject invalid code: %s', (_, options) => {
      project().copy('types/doors.ts', 'types/errors.ts')
      expect(compile(project(), ['types/doors.ts', 'types/errors.ts'], options)).toBe('')
    })

    test.each([
      'createVerifier({ issuer: 5 })',
      'createVerifier()',
      "import { nothing } from 'claimgate/verify'",
    ])('make the compiler reject: %s', (wrong) => {
      const file = project().write(
        'types/wrong.ts',
        `import { createVerifier } from 'claimgate/verify'\n${wrong}\n`,
      )
      expect(() => compile(project(), [file])).toThrow(/wrong\.ts.*error TS/)
    })
  })
}
