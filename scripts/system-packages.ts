// `npm run test:setup`: installs the Debian packages that tests need and this machine lacks. `npm test` runs it first. When
// nothing is missing, it only looks for the commands in the PATH. Without root or apt-get it installs nothing and prints what
// is missing; the tests that need it are then skipped, and the last lines of the test run name them.

import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian packages. Each of them installs a command of the same name. */
const PACKAGES = ['curl', 'chromium', 'firefox-esr', 'nginx', 'caddy']

const missing = PACKAGES.filter((command) => !isOnPath(command))
if (missing.length > 0) {
  if (process.getuid?.() === 0 && isOnPath('apt-get')) install(missing)
  else
    console.error(
      `some tests will be skipped, because these commands are not installed: ${missing.join(', ')}`,
    )
}

/** Whether a folder of the PATH has an executable file of this name. */
function isOnPath(command: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function install(packages: readonly string[]): void {
  const options = {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  } as const
  execFileSync('apt-get', ['update', '-qq'], options)
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options)
}
