// A vitest reporter. The last line of a run is `N passed, N failed`; a line `not run: <name>` for each skipped test comes
// before it. `failed` also counts unhandled errors and test files that fail without a failing test.
import type { Reporter, TestModule } from 'vitest/node'

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0
    let failed = errors.length
    const skipped: string[] = []
    for (const module of modules) {
      const tests = [...module.children.allTests()]
      for (const test of tests) {
        const state = test.result().state
        if (state === 'passed') passed += 1
        else if (state === 'failed') failed += 1
        else skipped.push(test.fullName)
      }
      if (module.state() === 'failed' && tests.every((test) => test.result().state !== 'failed')) failed += 1
    }
    // Printed at exit, so that these lines come after the summary that the default reporter prints in this hook.
    process.on('exit', () => {
      for (const name of skipped) process.stdout.write(`not run: ${name}\n`)
      process.stdout.write(`${passed} passed, ${failed} failed\n`)
    })
  }
}
