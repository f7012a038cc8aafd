// `npm run build:sdk`: bundles claimgate/browser into one minified ES module without imports, and writes it as a text into
// src/service/sdk-file.ts, which the issuer serves at /sdk.js. Run it after a change of src/client/browser; a test compares.

import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')
const TARGET = join(ROOT, 'src/service/sdk-file.ts')

/** The source text of src/service/sdk-file.ts for the present client. */
export async function renderSdk(): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const built = await build({
    entryPoints: [join(ROOT, 'src/client/browser/index.ts')],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    banner: { js: `/*! claimgate/browser ${version}, MIT licence */` },
    write: false,
  })
  const text = built.outputFiles[0]?.text ?? ''
  const tag = createHash('sha256').update(text).digest('base64url')
  return `// Made by \`npm run build:sdk\` from src/client/browser. Do not edit.

/** The browser client, bundled and minified: an ES module without imports. */
export const SDK_TEXT: string =
  ${JSON.stringify(text)}

/** The strong entity tag of the text (RFC 9110 section 8.8.3), with its quotes: a SHA-256 hash. */
export const SDK_TAG: string = '"${tag}"'
`
}

if (import.meta.main) writeFileSync(TARGET, await renderSdk())
