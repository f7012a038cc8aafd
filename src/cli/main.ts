// The command `claimgate`; scripts/claimgate.mjs has looked at Node's version before.

import { runProgram } from './program.ts'

await runProgram(process.argv.slice(2))
