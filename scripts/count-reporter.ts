// The last line of a test run: `N passed, N failed`. Before it, by name, every test that could not run here.
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
    // After the summary of the default reporter, which prints in the same hook.
    process.on('exit', () => {
      for (const name of skipped) process.stdout.write(`not run: ${name}\n`)
      process.stdout.write(`${passed} passed, ${failed} failed\n`)
    })
  }
}
