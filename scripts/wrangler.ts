// Runs wrangler for dev-worker.ts and deploy-worker.ts, without its banner and telemetry. A signal to this process stops it.

import { spawn } from 'node:child_process'

const SETTINGS = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  // Use a placeholder for request.cf, so that the start needs no network.
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  // `.env` configures the server on Node: its address and database are not those of the Worker.
  CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: 'false',
}

/** Runs wrangler in this terminal. A signal also stops its workerd. This process exits with wrangler's exit code. */
export function runWrangler(args: readonly string[]): void {
  const child = spawn(process.execPath, ['node_modules/wrangler/bin/wrangler.js', ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...SETTINGS },
  })
  // Always SIGTERM: some shells make wrangler ignore SIGINT, and workerd would go on running.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => child.kill('SIGTERM'))
  child.on('exit', (code) => process.exit(code ?? 1))
}
