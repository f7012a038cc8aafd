// `npm run deploy:worker [-- flags]`: bundles the Worker and uploads it; with --dry-run it only tells the size.
// wrangler.toml says what a deployment needs beforehand.

import { runWrangler } from './wrangler.ts'

runWrangler(['deploy', '--minify', ...process.argv.slice(2)])
