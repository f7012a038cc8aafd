// Installs the Debian packages that tests need and a fresh machine lacks. Without root, or off Debian, it says
// what is missing; the tests that need it then say by name that they cannot run.
import { execFileSync, spawnSync } from 'node:child_process'

/** Command that must be on the path, and the package that brings it. */
const needed = [
  { command: 'curl', package: 'curl' },
  { command: 'chromium', package: 'chromium' },
  { command: 'nginx', package: 'nginx' },
  { command: 'caddy', package: 'caddy' },
]

const missing = needed.filter(({ command }) => spawnSync('which', [command]).status !== 0)
if (missing.length > 0) {
  const packages = missing.map((one) => one.package)
  const canInstall = process.getuid?.() === 0 && spawnSync('which', ['apt-get']).status === 0
  if (canInstall) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env })
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
      stdio: 'inherit',
      env,
    })
  } else {
    console.error(`not installed here, some tests will not run: ${packages.join(', ')}`)
  }
}
