// Runs wrangler for dev-worker.ts and deploy-worker.ts: quiet, without calls home, and ended together with us.

import { spawn } from 'node:child_process'

const SETTINGS = {
  WRANGLER_SEND_METRICS: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  // A placeholder of request.cf is enough: nothing is fetched at the start.
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  // `.env` is for the server on Node: its address and database are not those of the Worker.
  CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV: 'false',
}

/** Runs wrangler in this terminal. A signal to us ends it and its workerd; our exit code is wrangler's. */
export function runWrangler(args: readonly string[]): void {
  const child = spawn(process.execPath, ['node_modules/wrangler/bin/wrangler.js', ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...SETTINGS },
  })
  // To wrangler it is always SIGTERM: a SIGINT that a shell made it ignore would leave workerd behind.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => child.kill('SIGTERM'))
  child.on('exit', (code) => process.exit(code ?? 1))
}
