// The entry point of the command line: hands the process to the program. scripts/claimgate.mjs has checked Node's
// version before it loads this file.

import { loadEnvironment } from '../adapters/node/environment.ts'
import { runProgram } from './program.ts'

// When the reader of stdout stops early, as `head` does, the command has not failed.
const onOutputError = (error: NodeJS.ErrnoException): void => {
  if (error.code === 'EPIPE') return
  process.stderr.write(`claimgate: the result cannot be written (${error.code}); check the disk\n`)
  process.exitCode = 1
}
process.stdout.on('error', onOutputError)
process.stderr.on('error', () => undefined)

const exitCode = await runProgram(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  isColoured: process.stdout.isTTY && !process.env.NO_COLOR,
  readEnvironment: loadEnvironment,
  serve: async () => {
    // The server handles write errors of stdout itself.
    process.stdout.off('error', onOutputError)
    await import('../node.ts')
  },
})
if (exitCode !== 0) process.exitCode = exitCode
