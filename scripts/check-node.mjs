// Stops with a clear message when Node is too old, and ignores SIGUSR1, for which Node would open its debugger. Loaded before
// everything else, and plain JavaScript, because an older Node cannot parse our source and would only print a syntax error. A checkout runs its TypeScript source, which Node does without
// a flag from 22.18; the compiled package needs node:sqlite as it is from 22.16. Node 23 is neither supported nor tested.
import { existsSync } from 'node:fs'

const isCheckout = existsSync(new URL('../src/cli/main.ts', import.meta.url))
const oldestMinor = isCheckout ? 18 : 16
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 24 && !(major === 22 && minor >= oldestMinor)) {
  process.stderr.write(
    `claimgate needs Node 22.${oldestMinor} or later (of the 22 line), or 24 or later, and this is ${process.version}.\n` +
      (isCheckout
        ? 'In a checkout, run npm ci with install scripts allowed, and then start it through npm (npm start): npm ci installs the right Node.\n'
        : ''),
  )
  process.exit(1)
}

process.on('SIGUSR1', () => undefined)
