// `npm run deploy:worker [-- flags]`: bundles the Worker and uploads it; with --dry-run it only prints the size.
// wrangler.toml lists what must be set up before the first deployment.

import { runWrangler } from './wrangler.ts'

runWrangler(['deploy', '--minify', ...process.argv.slice(2)])
