// `npm run test:setup`: installs the Debian packages that tests need and this machine lacks. `npm test` runs it first. When
// nothing is missing, it only looks for the commands in the PATH. Without root or apt-get it installs nothing and prints what
// is missing; the tests that need it are then skipped, and the last lines of the test run name them.

import { execFileSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Debian packages, and the command that each of them installs. */
const COMMANDS: Readonly<Record<string, string>> = {
  curl: 'curl',
  chromium: 'chromium',
  'firefox-esr': 'firefox-esr',
  nginx: 'nginx',
  caddy: 'caddy',
  postgresql: 'postgres',
  // The languages of test/examples/customer.
  python3: 'python3',
  'php-cli': 'php',
  puma: 'puma',
  'ruby-rack': 'rackup',
  'golang-go': 'go',
}

/** Folders of commands that are not in the PATH. */
const MORE_FOLDERS = listFolders('/usr/lib/postgresql').map((version) => join(version, 'bin'))

const missing = Object.keys(COMMANDS).filter((name) => !isInstalled(COMMANDS[name] as string))
if (missing.length > 0) {
  if (process.getuid?.() === 0 && isInstalled('apt-get')) install(missing)
  else
    console.error(
      `some tests will be skipped, because these packages are not installed: ${missing.join(', ')}`,
    )
}

function listFolders(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []
}

/** Whether a folder of the PATH, or one of the others, has an executable file of this name. */
function isInstalled(command: string): boolean {
  return [...(process.env.PATH ?? '').split(delimiter), ...MORE_FOLDERS].some((folder) => {
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
