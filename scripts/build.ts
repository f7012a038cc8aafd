// `npm run build`: deletes dist/ and compiles src/ into it with tsc, as tsconfig.build.json says; adds the browser client as one
// file; then writes the folders of the published packages below dist-packages/.
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { SDK_TEXT } from '../src/service/sdk-file.ts'
import { writePackages } from './packages.ts'

rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
})
mkdirSync('dist/browser')
writeFileSync('dist/browser/claimgate.min.js', SDK_TEXT)
writePackages()
