#!/usr/bin/env node
// The command `claimgate`. Only looks at Node's version: an older Node cannot load what comes after it,
// and must hear why instead of crashing. No static import may stand here.

export {}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 13)) {
  process.stderr.write(
    `claimgate needs Node 22.13 or later, and this is ${process.version}: install a newer one.\n`,
  )
  process.exitCode = 1
} else {
  const { runProgram } = await import('./program.ts')
  await runProgram(process.argv.slice(2))
}
